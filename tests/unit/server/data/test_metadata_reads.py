"""What is asked of a store far away while it is opened: each document once, and all of a kind together."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest
import zarr

from huge_pyramid import HugePyramid, PyramidServer
from napari_cuda.server.data import metadata_reads
from napari_cuda.server.data.metadata_reads import each_read_once, following, read_ahead


def document(**content: Any) -> bytes:
    return json.dumps(content).encode()


def image(*paths: str) -> dict[str, Any]:
    """Return the attributes of an image of levels at these paths."""
    return {"multiscales": [{"datasets": [{"path": path} for path in paths]}]}


def test_of_zarr_3_the_levels_and_the_labels_follow() -> None:
    known = {"zarr.json": document(attributes={"ome": image("0", "s/1")}), ".zattrs": None}
    assert following(known) == ["0/zarr.json", "s/1/zarr.json", "labels/zarr.json"]
    known |= {"0/zarr.json": document(), "s/1/zarr.json": document(), "labels/zarr.json": None}
    assert following(known) == []


def test_of_zarr_2_each_node_has_three_documents() -> None:
    known = {"zarr.json": None, ".zattrs": document(**image("0")), ".zgroup": document()}
    below = [f"{node}/{name}" for node in ("0", "labels") for name in (".zarray", ".zgroup", ".zattrs")]
    assert following(known) == below


def test_labels_have_levels_of_their_own() -> None:
    known = {
        "zarr.json": document(attributes={"ome": image("0")}),
        "0/zarr.json": document(),
        "labels/zarr.json": document(attributes={"ome": {"labels": ["cells"]}}),
    }
    assert following(known) == ["labels/cells/zarr.json"]
    known["labels/cells/zarr.json"] = document(attributes={"ome": image("0")})
    assert following(known) == ["labels/cells/0/zarr.json", "labels/cells/labels/zarr.json"]


@pytest.mark.parametrize(
    "known",
    [
        {"zarr.json": document(attributes={"ome": image("0")}, consolidated_metadata={"metadata": {}})},
        {"zarr.json": None, ".zattrs": document(**image("0")), ".zmetadata": document()},
    ],
)
def test_nothing_follows_what_is_consolidated(known: dict[str, bytes | None]) -> None:
    assert following(known) == []


@pytest.mark.parametrize(
    "attributes",
    [
        {"multiscales": "no list"},
        {"multiscales": [{"datasets": [{}]}]},
        {"multiscales": [{"datasets": [{"path": 5}]}]},
        {"ome": []},
        {"labels": 7},
        {"labels": ["..", "a/../../b", "/root", ""]},
    ],
)
def test_what_is_no_ome_zarr_asks_for_nothing(attributes: dict[str, Any]) -> None:
    assert following({"zarr.json": document(attributes=attributes)}) == []
    assert following({"zarr.json": b"not json"}) == following({"zarr.json": b"[1]"}) == following({}) == []


@pytest.fixture
def store() -> Iterator[PyramidServer]:
    server = PyramidServer(HugePyramid((64, 4096, 4096)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def levels_of(store: PyramidServer) -> list[zarr.Array[Any]]:
    """Read as reader plugins do: one level after the other."""
    group = zarr.open_group(store.url, mode="r")
    with pytest.raises(KeyError):
        group["labels"]
    return [array for path in range(len(store.pyramid.shapes)) if isinstance(array := group[str(path)], zarr.Array)]


def test_a_reader_is_told_what_was_read_ahead(store: PyramidServer) -> None:
    store.latency_s = 0.2
    with each_read_once():
        folder = read_ahead(store.url, 10)
        assert store.rounds == 2, "the folder, then the levels"
        arrays = levels_of(store)
        assert [array.shape for array in arrays] == store.pyramid.shapes
        assert len(levels_of(store)) == len(arrays)
    assert store.rounds == 2
    assert set(store.asked.values()) == {1}
    assert isinstance(folder["zarr.json"], bytes)
    assert folder[".zgroup"] is None


def test_nothing_is_remembered_afterwards_nor_by_others(store: PyramidServer) -> None:
    with each_read_once():
        read_ahead(store.url, 10)
        other = threading.Thread(target=levels_of, args=(store,))
        other.start()
        other.join()
        assert store.asked["0/zarr.json"] == 2
    levels_of(store)
    assert store.asked["0/zarr.json"] == 3


def test_chunks_are_read_as_ever(store: PyramidServer) -> None:
    with each_read_once():
        read_ahead(store.url, 10)
        array = levels_of(store)[-1]
        first, again = array[0], array[0]
    assert (first == again).all()
    assert [times for key, times in store.asked.items() if "/c/" in key] == [2]


def test_a_store_that_hangs_or_fails_is_given_back_as_the_reason(store: PyramidServer) -> None:
    store.latency_s = 0.5
    folder = read_ahead(store.url, 0.05)
    assert all(isinstance(answer, TimeoutError) for answer in folder.values())


def test_no_more_than_so_many_are_read_ahead(store: PyramidServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_reads, "MOST_AHEAD", 7)
    read_ahead(store.url, 10)
    assert len(store.asked) == 7


def test_elsewhere_the_file_system_is_the_plain_one(store: PyramidServer) -> None:
    with each_read_once():
        read_ahead(store.url, 10)
    files, _ = fsspec.core.url_to_fs(store.url)
    assert isinstance(files, metadata_reads._ReadOnce)
    assert type(pickle.loads(pickle.dumps(files))) is type(files).plain
