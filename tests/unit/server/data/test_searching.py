"""Searching below a folder: everything once, in moments, and nothing that may not be seen."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.files import PAGE_ENTRIES, Found
from napari_cuda.server.data.roots import ServedRoots
from napari_cuda.server.data.searching import MOMENT_S, search_below

NAMES = ["b/t1.tif", "b/t10.tif", "b/t2.tif", "b/deep/er/t.tif", "a.tif", "z/t.tif", "notes.txt", "b.zarr/0/t.tif"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "served"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "b.zarr" / "zarr.json").touch()
    (root / "a" / ".hidden").mkdir(parents=True)
    (root / "a" / ".hidden" / "t.tif").touch()
    return root


def found(root: Path, search: str) -> list[str]:
    answer = search_below(ServedRoots([root]), str(root), search)
    assert answer.after == ""
    return [entry.name for entry in answer.entries]


def bit_by_bit(root: Path, search: str) -> list[Found]:
    """Search with a clock by which each folder takes a whole moment."""
    answers: list[Found] = []
    after = ""
    while True:
        clock = itertools.count(0.0, MOMENT_S).__next__
        answers.append(search_below(ServedRoots([root]), str(root), search, after, clock))
        after = answers[-1].after
        if not after:
            return answers


def test_a_folder_comes_before_what_is_in_it_and_names_as_people_count(root: Path) -> None:
    assert found(root, "T.TIF") == ["b/deep/er/t.tif", "z/t.tif"]
    assert found(root, "tif") == [
        "a.tif", "b/t1.tif", "b/t2.tif", "b/t10.tif", "b/deep/er/t.tif", "z/t.tif"
    ]  # fmt: skip
    assert found(root, "b") == ["b", "b.zarr"], "a Zarr is one thing"
    assert found(root, "nothing of the kind") == []


def test_bit_by_bit_it_finds_the_same_and_each_thing_once(root: Path) -> None:
    answers = bit_by_bit(root, "t")
    assert len(answers) > 4
    assert [entry.name for answer in answers for entry in answer.entries] == found(root, "t")
    assert {answer.folders for answer in answers[:-1]} == {1}


def test_it_goes_on_where_a_folder_is_gone(root: Path) -> None:
    roots = ServedRoots([root])
    assert [entry.name for entry in search_below(roots, str(root), "tif", "b/gone/since").entries] == ["z/t.tif"]
    assert [entry.name for entry in search_below(roots, str(root), "tif", "nobody").entries] == ["z/t.tif"]
    for odd in ("../..", "/etc", "z/../..", "zzz", "\0"):
        names = [entry.name for entry in search_below(roots, str(root), "tif", odd).entries]
        assert not [name for name in names if name.startswith(("/", ".."))]


def test_of_a_folder_with_very_many_it_says_how_many_it_leaves_out(root: Path) -> None:
    for number in range(PAGE_ENTRIES + 5):
        (root / "z" / f"many{number}").touch()
    answer = search_below(ServedRoots([root]), str(root), "many")
    assert (len(answer.entries), answer.left_out, answer.after) == (PAGE_ENTRIES, 5, "z")


def test_nothing_leads_out_of_the_roots(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.tif").touch()
    (root / "way-out").symlink_to(tmp_path / "elsewhere")
    (root / "secret.tif").symlink_to(tmp_path / "elsewhere" / "secret.tif")
    (root / "z" / "round").symlink_to(root)
    assert found(root, "secret") == []
    assert found(root, "out") == []
    assert found(root, "round") == ["z/round"]
    for path in (tmp_path, root / "..", "/"):
        with pytest.raises(DataError, match="is outside the served roots"):
            search_below(ServedRoots([root]), str(path), "x")


def test_what_cannot_be_searched_says_so(root: Path) -> None:
    roots = ServedRoots([root])
    with pytest.raises(DataError, match="go into a folder first"):
        search_below(roots, "", "x")
    with pytest.raises(DataError, match="is not a folder"):
        search_below(roots, str(root / "a.tif"), "x")


def test_a_folder_that_nobody_may_read_is_passed_over(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(path: object) -> object:
        if str(path).endswith("deep"):
            raise PermissionError(13, "no")
        return scan(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", refuse)
    assert found(root, "t.tif") == ["z/t.tif"]
