"""The page's one module: all parts, in order, nothing left to import."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from napari_cuda import web

LARGEST_GZIPPED = 60_000
_FROM = re.compile(r'from "\./(\w+)\.js"')


def part(name: str) -> str:
    return files(web).joinpath(f"parts/{name}.js").read_text("utf-8")


def test_every_part_is_in_the_module_after_what_it_imports() -> None:
    there = {path.name.removesuffix(".js") for path in files(web).joinpath("parts").iterdir()}
    assert there == set(web.PARTS)
    for place, name in enumerate(web.PARTS):
        needed = {imported for imported in _FROM.findall(part(name))}
        assert needed <= set(web.PARTS[:place]), f"{name} imports what comes after it"


def test_the_module_imports_nothing_and_mounts() -> None:
    module = web.viewer_module()
    assert not re.search(r"^import ", module, re.MULTILINE)
    for name in ("mount", "webSocketTransport", "parsePacket"):
        assert len(re.findall(rf"^export (?:async )?function {name}\(", module, re.MULTILINE)) == 1


def test_a_notebooks_module_is_the_pages_and_what_mounts_it_without_imports() -> None:
    module = web.widget_module()
    assert module.startswith(web.viewer_module())
    # A notebook loads it as text, from a blob: there is nothing beside it.
    assert not re.search(r"^import ", module, re.MULTILINE)
    assert "export default { render }" in module
    assert len(re.findall(r"^export function commTransport\(", module, re.MULTILINE)) == 1


def test_module_and_style_are_small() -> None:
    size = sum(len(gzip.compress(text.encode())) for text in (web.viewer_module(), web.asset("viewer.css")))
    assert 10_000 < size <= LARGEST_GZIPPED


@pytest.mark.parametrize("name", ["index.html", "refused.html"])
def test_pages_have_no_script_or_style_in_them_and_name_no_other_place(name: str) -> None:
    page = web.asset(name)
    assert "<style" not in page
    assert not re.search(r"\son\w+=", page)
    assert re.findall(r"<script[^>]*>", page) == re.findall(r'<script type="module" src="page\.js">', page)
    assert not re.search(r'(?:src|href)="(?:/|https?:)', page), (
        "addresses are relative: the page may lie below a prefix"
    )


def test_the_module_is_valid_javascript(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node here; the browser tests load the module")
    module = tmp_path / "viewer.mjs"
    module.write_text(web.widget_module())
    checked = subprocess.run([node, "--check", str(module)], capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stderr
