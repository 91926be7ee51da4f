"""Folders on the server, as a file dialog sees them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.files import PAGE_ENTRIES
from napari_cuda.server.data.listing import list_folder
from napari_cuda.server.data.roots import ServedRoots


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "served"
    root.mkdir()
    return root


def names(root: Path, search: str = "") -> list[str]:
    return [entry.name for entry in list_folder(ServedRoots([root]), str(root), search).entries]


def test_folders_come_first_and_numbers_count(root: Path) -> None:
    for name in ("t10.tif", "t2.tif", "T1.tif", ".hidden"):
        (root / name).write_text("x")
    (root / "z").mkdir()
    assert names(root) == ["z", "T1.tif", "t2.tif", "t10.tif"]
    assert names(root, "T1") == ["T1.tif", "t10.tif"]


def test_what_a_folder_holds_is_recognised(root: Path) -> None:
    for name, files in {
        "v2.zarr": [".zgroup"],
        "v3": ["zarr.json"],
        "frames": ["a.tif", "b.TIFF", "notes.txt"],
        "mixed": ["a.tif", "b.csv", "c.csv"],
        "empty": [],
    }.items():
        (root / name).mkdir()
        for file in files:
            (root / name / file).write_text("{}")
    (root / "one.tif").write_bytes(b"12345")
    entries = {entry.name: entry for entry in list_folder(ServedRoots([root]), str(root)).entries}
    kinds = {name: entry.kind for name, entry in entries.items()}
    assert kinds == {
        "v2.zarr": "zarr",
        "v3": "zarr",
        "frames": "images",
        "mixed": "folder",
        "empty": "folder",
        "one.tif": "file",
    }
    assert entries["one.tif"].size_bytes == 5
    assert entries["one.tif"].modified_s == (root / "one.tif").stat().st_mtime


def test_pages_follow_each_other(root: Path) -> None:
    count = PAGE_ENTRIES + 3
    for number in range(count):
        (root / f"f{number}").touch()
    roots = ServedRoots([root])
    first = list_folder(roots, str(root))
    rest = list_folder(roots, str(root), offset=PAGE_ENTRIES)
    assert (first.total, rest.total) == (count, count)
    assert [entry.name for entry in (*first.entries, *rest.entries)] == [f"f{number}" for number in range(count)]
    assert list_folder(roots, str(root), offset=10_000).entries == []


def test_nothing_leads_out_of_the_roots(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    (root / "link").symlink_to(tmp_path / "secret.txt")
    (root / "inside").symlink_to(root)
    (root / "broken").symlink_to(root / "nothing")
    assert names(root) == ["inside"]
    roots = ServedRoots([root])
    assert [entry.path for entry in list_folder(roots, "").entries] == [str(root)]
    assert list_folder(roots, str(root)).parent == ""
    for path in (tmp_path, root / "..", "/"):
        with pytest.raises(DataError, match="is outside the served roots"):
            list_folder(roots, str(path))


def test_links_in_circles_and_names_that_are_no_text_are_left_out(root: Path) -> None:
    (root / "loop").symlink_to(root / "loop")
    Path(os.fsdecode(bytes(root) + b"/\xff.tif")).touch()
    (root / "a.tif").touch()
    assert names(root) == ["a.tif"]


def test_what_cannot_be_listed_says_so(root: Path) -> None:
    (root / "file").touch()
    with pytest.raises(DataError, match=r"is not a folder$"):
        list_folder(ServedRoots([root]), str(root / "file"))
    with pytest.raises(DataError, match=r"does not exist on the server$"):
        list_folder(ServedRoots([root]), str(root / "nothing"))


def test_without_roots_it_begins_somewhere(tmp_path: Path) -> None:
    roots = ServedRoots()
    assert str(Path.home()) in [entry.path for entry in list_folder(roots, "").entries]
    assert list_folder(roots, str(tmp_path)).parent == str(tmp_path.parent)
