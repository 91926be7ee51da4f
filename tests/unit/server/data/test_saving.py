"""Writing layers with napari's real writers: whole, or not at all."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.layers import Image, Points
from napari.plugins import _initialize_plugins

from napari_cuda.protocol.errors import DataError
from napari_cuda.server.data.roots import ServedRoots
from napari_cuda.server.data.saving import _move, check_target, write_layers, write_one_file, writers_of


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    _initialize_plugins()


@pytest.fixture
def image(rng: np.random.Generator) -> Image:
    return Image(rng.integers(0, 4096, (3, 20, 30), np.uint16), name="picture")


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_suffix_chooses_the_format(image: Image, tmp_path: Path) -> None:
    target = tmp_path / "a.tif"
    assert write_layers([image], target, "") == [str(target)]
    assert np.array_equal(tifffile.imread(target), image.data)
    assert files(tmp_path) == ["a.tif"]


def test_several_layers_go_into_a_folder_beside_what_is_there(image: Image, tmp_path: Path) -> None:
    points = Points(np.ones((2, 3)), name="spots")
    target = tmp_path / "all"
    write_layers([image, points], target, "")
    assert files(tmp_path) == ["all/picture.tif", "all/spots.csv"]
    (target / "notes.txt").write_text("precious")
    write_layers([points, Points(np.zeros((1, 3)), name="more")], target, "", overwrite=True)
    assert files(tmp_path) == ["all/more.csv", "all/notes.txt", "all/picture.tif", "all/spots.csv"]


def test_a_file_never_takes_the_place_of_a_folder(image: Image, tmp_path: Path) -> None:
    target = tmp_path / "a.tif"
    target.mkdir()
    (target / "notes.txt").write_text("precious")
    with pytest.raises(DataError, match="is a folder of other things"):
        write_layers([image], target, "", overwrite=True)
    assert files(tmp_path) == ["a.tif/notes.txt"]


def test_the_suffix_that_a_writer_adds_overwrites_nothing_unasked(image: Image, tmp_path: Path) -> None:
    precious = tmp_path / "a.tif"
    precious.write_text("precious")
    with pytest.raises(DataError, match=r"a\.tif exists already$"):
        write_layers([image], tmp_path / "a", "")
    assert precious.read_text() == "precious"
    assert write_layers([image], tmp_path / "a", "", overwrite=True) == [str(precious)]


def test_a_zarr_takes_the_place_of_a_zarr_only(tmp_path: Path) -> None:
    def folder(name: str, *names: str) -> Path:
        for inner in names:
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / name / inner).touch()
        return tmp_path / name

    old, aside = folder("old.zarr", "zarr.json", "stale-chunk"), folder("aside", ".keep")
    _move(folder("new.zarr", "zarr.json", "chunk"), old, aside)
    assert files(old) == ["chunk", "zarr.json"]
    with pytest.raises(DataError, match="is a folder of other things"):
        _move(folder("new.zarr", "zarr.json"), folder("experiments", "precious.tif"), aside)
    assert files(tmp_path / "experiments") == ["precious.tif"]


def test_what_fails_or_is_cancelled_leaves_what_was_there(image: Image, tmp_path: Path) -> None:
    target = tmp_path / "a.tif"
    target.write_text("precious")

    class Cancelled(Exception):
        pass

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        write_layers([image], target, "", before_moving=cancel)
    with pytest.raises(DataError, match=r"^cannot save a\.nothing: No data written!"):
        write_layers([image], tmp_path / "a.nothing", "")
    with pytest.raises(DataError, match=r"^cannot save a\.tif: .*'no-such-plugin'"):
        write_layers([image], target, "no-such-plugin")
    assert files(tmp_path) == ["a.tif"]
    assert target.read_text() == "precious"


def test_nothing_is_overwritten_unasked_or_outside(tmp_path: Path) -> None:
    root = tmp_path / "served"
    root.mkdir()
    (root / "a.tif").touch()
    (root / "link").symlink_to(tmp_path)
    roots = ServedRoots([root])
    with pytest.raises(DataError, match=r"exists already$"):
        check_target(str(root / "a.tif"), roots, overwrite=False)
    assert check_target(str(root / "a.tif"), roots, overwrite=True) == root / "a.tif"
    for path in (root, tmp_path / "b.tif", root / "link" / "b.tif", root / ".." / "b.tif"):
        with pytest.raises(DataError, match="is outside the served roots"):
            check_target(str(path), roots, overwrite=True)
    with pytest.raises(DataError, match="there is no folder"):
        check_target(str(root / "nowhere" / "b.tif"), roots, overwrite=True)
    with pytest.raises(DataError, match="is not a whole path"):
        check_target("b.tif", roots, overwrite=True)


def test_a_download_is_one_file(image: Image, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    assert write_one_file([image], tmp_path / "one" / "a.tif", "").name == "a.tif"
    (tmp_path / "many").mkdir()
    archive = write_one_file([image, image], tmp_path / "many" / "both", "")
    assert archive.name == "both.zip"
    assert all(name.startswith("both/") for name in zipfile.ZipFile(archive).namelist())


def test_a_download_that_does_not_fit_the_disk_is_not_begun(tmp_path: Path) -> None:
    petabyte = Image(np.broadcast_to(np.zeros((), np.uint8), (10**6, 10**5, 10**4)), contrast_limits=(0, 1))
    with pytest.raises(DataError, match=r"needs up to 1000000\.0 GB"):
        write_one_file([petabyte], tmp_path / "a.tif", "")
    assert files(tmp_path) == []


def test_writers_say_what_they_take() -> None:
    plugin, title, suffixes = writers_of(["image"])[0]
    assert (plugin, ".tif" in suffixes) == ("napari", True)
    assert "lossless" in title
    assert [suffixes for _, _, suffixes in writers_of(["image", "labels"])][-1] == []
