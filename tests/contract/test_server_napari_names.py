"""The private names of napari that the server's adapters use exist, and are all listed."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from headless_process import run_headless

ROOT = Path(__file__).parents[2]
ADAPTERS = [
    ROOT / "src" / "napari_cuda" / "server" / "render" / f"napari_{part}.py"
    for part in ("adapter", "model", "slices", "window")
] + [ROOT / "src" / "napari_cuda" / "server" / "render" / "opaque_images.py"]
PROBE = ROOT / "tests" / "integration" / "headless_probe.py"


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _listed(tree: ast.Module) -> tuple[str, ...]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PRIVATE_NAMES":
            names: tuple[str, ...] = ast.literal_eval(node.value)
            return names
    raise AssertionError("the adapter has no PRIVATE_NAMES")


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda path: path.stem)
def test_every_private_name_is_listed(adapter: Path) -> None:
    tree = ast.parse(adapter.read_text())
    parts = {part for name in _listed(tree) for part in name.split(".")}
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _private(node.attr) and ast.unparse(node.value) != "self":
            used.add(node.attr)
        if isinstance(node, ast.ImportFrom):
            words = (node.module or "").split(".")
            from_private = any(map(_private, words))
            used.update(alias.name for alias in node.names if from_private or _private(alias.name))
    assert used, "the scan found nothing: it is broken"
    assert not used - parts, f"add to PRIVATE_NAMES in {adapter.name}: {sorted(used - parts)}"


def test_every_private_name_exists(tmp_path: Path) -> None:
    done = run_headless(tmp_path / "napari.yaml", PROBE, "names")
    assert done.returncode == 0, (
        "napari's canvas cannot be built headless: this napari has moved what napari_adapter.py uses\n"
        + done.stderr[-3000:]
    )
    missing = json.loads(done.stdout)["missing"]
    assert not missing, (
        f"this napari lacks {missing}; adapt {[path.name for path in ADAPTERS]}, or pin napari below this version"
    )
