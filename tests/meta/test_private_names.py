"""Private names of napari and vispy are imported in the adapter modules only (attribute access is ruff's SLF001)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from meta.repository import modules, text_of

# The same list as the SLF001 exceptions in pyproject.toml.
ADAPTERS = {
    Path("src/napari_cuda/server/render/napari_adapter.py"),
    Path("src/napari_cuda/server/render/napari_model.py"),
    Path("src/napari_cuda/server/render/napari_slices.py"),
    Path("src/napari_cuda/server/render/napari_window.py"),
    Path("src/napari_cuda/server/render/opaque_images.py"),
    Path("src/napari_cuda/server/render/vispy_backend.py"),
    Path("src/napari_cuda/client/qt/napari_adapter.py"),
    Path("src/napari_cuda/client/mirror/napari_adapter.py"),
    Path("src/napari_cuda/client/qt/many_layers.py"),
    Path("src/napari_cuda/client/qt/null_visuals.py"),
    Path("src/napari_cuda/layer_lookup.py"),
    Path("src/napari_cuda/layered_canvas.py"),
    Path("src/napari_cuda/grid_cells.py"),
    Path("src/napari_cuda/lean_transforms.py"),
}


def private_imports(source: str) -> list[str]:
    """Dotted names with a `_private` part that the source imports from another package."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    foreign = [name for name in names if name.split(".")[0] not in {"napari_cuda", "__future__"}]
    return [name for name in foreign if any(part.startswith("_") for part in name.split("."))]


def test_private_imports_are_in_the_adapters_only() -> None:
    found = {str(path): private_imports(text_of(path) or "") for path in modules() if path not in ADAPTERS}
    found = {path: names for path, names in found.items() if names}
    assert not found, f"private names imported outside the adapter modules: {found}"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from napari._vispy import VispyCanvas", ["napari._vispy.VispyCanvas"]),
        ("from napari.layers.base import _slice", ["napari.layers.base._slice"]),
        ("import napari._qt.qt_viewer", ["napari._qt.qt_viewer"]),
        ("from __future__ import annotations\nfrom napari.layers import Image", []),
    ],
)
def test_the_scan_sees_private_names(source: str, names: list[str]) -> None:
    assert private_imports(source) == names
