"""The EGL path on a real GPU; `make gpu` refuses to skip these."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.gpu


def _snapshot(target: Path, device: str, ndisplay: int) -> np.ndarray:
    options = f"--size 640x480 --ndisplay {ndisplay} --json".split()
    subprocess.run(
        [sys.executable, "-m", "napari_cuda", "snapshot", "sample:balls_3d", "-o", str(target), *options],
        env=os.environ | {"NAPARI_CUDA_GL_DEVICE": device},
        check=True,
        timeout=300,
    )
    return np.asarray(Image.open(target).convert("RGB"), float)


def test_a_hardware_device_renders() -> None:
    code = (
        "import json; from napari_cuda.server.render.egl import EglContext; gl = EglContext('hardware');"
        "print(json.dumps([gl.renderer, gl.software])); gl.close()"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    renderer, software = json.loads(answer.stdout.splitlines()[-1])
    assert not software, renderer


@pytest.mark.parametrize("ndisplay", [2, 3])
def test_the_gpu_draws_what_software_draws(tmp_path: Path, ndisplay: int) -> None:
    """Rasterisers round differently at edges; what is shown must be the same."""
    hardware = _snapshot(tmp_path / "hardware.png", "hardware", ndisplay)
    software = _snapshot(tmp_path / "software.png", "software", ndisplay)
    error = np.mean((hardware - software) ** 2)
    assert 10 * np.log10(255**2 / max(error, 1e-9)) >= 35
