"""What the README has one do from Python, done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from documented import blocks
from gl_window import require_display
from napari_cuda.server_process import ServerProcess


def test_the_readme_from_python(tmp_path: Path) -> None:
    require_display()
    rng = np.random.default_rng(8)
    data = rng.integers(0, 4000, (12, 32, 48), np.uint16)
    tifffile.imwrite(tmp_path / "density.tif", data)
    code = blocks("README.md", "python")[-1]
    with ServerProcess(["--size", "160x120", str(tmp_path / "density.tif")]) as server:
        names: dict[str, Any] = {"url": server.connect_url, "__name__": "__main__"}
        exec(compile(code.text, code.document, "exec"), names)
        window = names["viewer"]
        try:
            assert np.array_equal(names["part"], data[10])
            picture = names["picture"]
            assert (picture.shape, picture.dtype) == ((120, 160, 4), np.uint8)
            red, green = picture[..., 0].astype(int), picture[..., 1].astype(int)
            assert (red - green).max() > 50, "it shows no magma"
            window.sync(60)
            assert (window.dims.ndisplay, window.layers["density"].colormap.name) == (3, "magma")
            assert window.window._qt_window.isVisible()
        finally:
            window.close()
