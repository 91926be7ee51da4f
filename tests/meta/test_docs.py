"""Paths named in the documents exist, rendered tables are current, decision records are numbered without gaps."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from meta.repository import PACKAGE, ROOT, files, text_of

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
SUFFIXES = (".py", ".md", ".toml", ".txt", ".js", ".css", ".html", ".json")
ROOT_FILES = {
    "Makefile",
    "LICENSE",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "pyproject.toml",
    "constraints.txt",
}
FOLDERS = ("src/", "tests/", "docs/", "scripts/", "benchmarks/", "examples/", ".ci/")
PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)*/?")

# Decision records and the change log tell what was true then.
DOCUMENTS = [
    path
    for path in files()
    if path.suffix == ".md" and not path.is_relative_to("docs/adr") and path.name != "CHANGELOG.md"
]
RENDER_DOCS = ROOT / "scripts" / "render-docs"
# (document, section): what scripts/render-docs writes.
SECTIONS = [
    (path, name)
    for path in DOCUMENTS
    if path.is_relative_to("docs")
    for name in re.findall("<!-- (.*):begin -->", text_of(path) or "")
]
RECORDS = sorted(path for path in files() if path.is_relative_to("docs/adr"))


def is_repository_path(token: str) -> bool:
    """True for a token in backticks that can only mean a file or folder of this repository."""
    if not PATH.fullmatch(token) or "NNNN" in token:
        return False
    if token in ROOT_FILES or token.startswith(FOLDERS):
        return True
    return "/" in token and token.endswith((*SUFFIXES, "/"))


def exists(token: str, document: Path) -> bool:
    """True if the path is there, from the root, from the package or from the document's folder."""
    bases = (ROOT, PACKAGE, PACKAGE.parent, (ROOT / document).parent)
    pattern = token.rstrip("/")
    return any(any(base.glob(pattern)) for base in bases)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_paths_in_backticks_exist(document: Path) -> None:
    tokens = {token for token in CODE.findall(text_of(document) or "") if is_repository_path(token)}
    missing = sorted(token for token in tokens if not exists(token, document))
    assert not missing, f"{document} names files that are not there: {missing}"


@pytest.mark.parametrize("document", [*DOCUMENTS, *RECORDS], ids=str)
def test_links_to_files_exist(document: Path) -> None:
    links = {link for link in LINK.findall(text_of(document) or "") if "://" not in link and ":" not in link}
    missing = sorted(link for link in links if not ((ROOT / document).parent / link).exists())
    assert not missing, f"{document} links to files that are not there: {missing}"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("src/napari_cuda/worker.py", True),
        ("client/qt/", True),
        ("protocol/packet.py", True),
        ("Makefile", True),
        ("/ws/state", False),
        ("image/png", False),
        ("docs/adr/NNNN-title.md", False),
        ("make test", False),
        ("layer.update", False),
    ],
)
def test_what_counts_as_a_path(token: str, expected: bool) -> None:
    assert is_repository_path(token) is expected


def test_all_rendered_sections_of_the_documents_are_current() -> None:
    done = subprocess.run([sys.executable, RENDER_DOCS, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(SECTIONS) >= 7


@pytest.mark.parametrize(("document", "name"), SECTIONS, ids=str)
def test_a_section_that_is_out_of_date_is_mended_and_a_lost_one_noticed(document: Path, name: str) -> None:
    current = {path: text_of(path) or "" for path, _ in SECTIONS}
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    spoilt = current | {document: current[document].replace(begin, f"{begin}| one row more |\n")}
    rendered = runpy.run_path(str(RENDER_DOCS))["rendered"]
    assert rendered(spoilt) == rendered(current) == current
    with pytest.raises(SystemExit, match=f"{name}:begin"):
        rendered(current | {document: current[document].replace(end, "")})


def test_decision_records_are_numbered_without_gaps() -> None:
    assert RECORDS, "docs/adr has no record"
    names = [path.name for path in RECORDS]
    assert all(re.fullmatch(r"\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md", name) for name in names), names
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


@pytest.mark.parametrize("record", RECORDS, ids=str)
def test_a_decision_record_has_its_parts(record: Path) -> None:
    text = text_of(record) or ""
    number = int(record.name[:4])
    assert text.startswith(f"# {number}. "), f"the first line must be '# {number}. Title'"
    for part in ("Status:", "## Context", "## Decision", "## Consequences"):
        assert f"\n{part}" in text, f"{record} lacks '{part}'"
