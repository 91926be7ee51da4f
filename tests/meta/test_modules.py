"""Sizes and names of modules, and the mirroring of src by the unit tests."""

from __future__ import annotations

import statistics
from pathlib import Path

from meta.repository import PACKAGE, ROOT, files, modules, text_of

MOST_LINES = 600
MEDIAN_LINES = 200
# Names that say nothing about what is inside.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "interface", "misc", "common"}


def line_count(path: Path) -> int:
    """Lines of a file named relative to the root."""
    return len((text_of(path) or "").splitlines())


def test_no_module_is_too_long() -> None:
    code = [path for path in files() if path.suffix in {".py", ".js"}]
    too_long = {str(path): line_count(path) for path in code if line_count(path) > MOST_LINES}
    assert not too_long, f"more than {MOST_LINES} lines; find the seam: {too_long}"


def test_the_median_module_is_short() -> None:
    sizes = [size for path in modules() if (size := line_count(path)) > 5]
    assert statistics.median(sizes) <= MEDIAN_LINES


def test_module_names_say_what_is_inside() -> None:
    parts = {part for path in modules() for part in path.relative_to("src/napari_cuda").with_suffix("").parts}
    bad = sorted(p for p in parts if p.endswith("_v2") or set(p.split("_")) & EMPTY_NAMES)
    assert not bad, f"names that say nothing: {bad}"


def mirrored(test: Path) -> bool:
    """True if `tests/unit/a/test_b.py` or `test_b_aspect.py` has a module or package `a/b` in src."""
    folder = PACKAGE / test.parent.relative_to("tests/unit")
    words = test.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    return any((folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file() for name in names)


def test_unit_tests_mirror_the_package() -> None:
    tests = [p for p in files() if p.is_relative_to("tests/unit") and p.match("test_*.py")]
    assert tests, "no unit tests found"
    strays = [str(path) for path in tests if not mirrored(path)]
    assert not strays, f"no module in src/napari_cuda answers to: {strays}"


def test_every_folder_of_the_package_is_a_package() -> None:
    folders = {(ROOT / path).parent for path in modules()}
    bare = sorted(str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").is_file())
    assert not bare, f"folders without __init__.py: {bare}"
