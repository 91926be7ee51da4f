"""Uploads in chunks: whole or not at all, inside their folder, within the limit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from msgspec.structs import replace

from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.files import UploadRequest
from napari_cuda.server.data.uploads import FORGOTTEN_S, Uploads

GROUP = "0123456789abcdef"
LIMIT_BYTES = 1000


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads", LIMIT_BYTES)


def request(data: bytes, name: str = "a.bin", group: str = GROUP) -> UploadRequest:
    return UploadRequest(group, name, len(data), hashlib.blake2b(data, digest_size=16).hexdigest())


def test_chunks_become_the_file(uploads: Uploads) -> None:
    data = bytes(range(200))
    state = uploads.begin(request(data))
    assert (state.offset, state.complete) == (0, False)
    for start in (0, 80, 160):
        state = uploads.append(state.upload, start, data[start : start + 80])
    assert state.complete
    assert Path(state.path).read_bytes() == data


def test_asking_again_resumes(uploads: Uploads) -> None:
    data = b"x" * 100
    key = uploads.begin(request(data)).upload
    uploads.append(key, 0, data[:60])
    again = uploads.begin(request(data))
    assert (again.upload, again.offset) == (key, 60)
    # The answer to a chunk was lost: it comes again, and changes nothing.
    assert uploads.append(key, 0, data[:60]).offset == 60
    assert uploads.append(key, 60, data[60:]).complete
    assert uploads.append(key, 60, data[60:]).complete


def test_an_empty_file_needs_no_chunk(uploads: Uploads) -> None:
    assert uploads.begin(request(b"")).complete


def test_a_folder_is_opened_as_one(uploads: Uploads) -> None:
    inner = uploads.begin(request(b"", "cells.zarr/0/0"))
    outer = uploads.begin(request(b"", "cells.zarr/zarr.json"))
    assert inner.path == outer.path
    assert Path(inner.path).name == "cells.zarr"
    assert (Path(inner.path) / "0" / "0").is_file()


def test_damage_is_noticed_and_nothing_kept(uploads: Uploads, tmp_path: Path) -> None:
    data = b"x" * 100
    state = uploads.begin(request(data))
    with pytest.raises(DataError, match=r"^a\.bin arrived damaged"):
        uploads.append(state.upload, 0, b"y" * 100)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with pytest.raises(DataError, match="knows no such upload"):
        uploads.append(state.upload, 0, data)


def test_what_is_dropped_gives_its_room_back(uploads: Uploads) -> None:
    state = uploads.begin(request(b"x" * LIMIT_BYTES))
    with pytest.raises(DataError, match="is too large: the server has 0 MB left"):
        uploads.begin(request(b"y", "b.bin"))
    uploads.drop(state.upload)
    assert uploads.begin(request(b"y", "b.bin")).offset == 0


def test_more_than_was_said_is_refused(uploads: Uploads) -> None:
    state = uploads.begin(request(b"x" * 10))
    with pytest.raises(DataError, match="longer than was said"):
        uploads.append(state.upload, 0, b"x" * 11)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("../a", GROUP),
        ("/etc/passwd", GROUP),
        ("a/../../b", GROUP),
        ("", GROUP),
        ("a\\b", GROUP),
        ("a\0b", GROUP),
        ("x" * 300, GROUP),
        ("a", ".."),
        ("a", "0123456789ABCDEF"),
    ],
)
def test_no_name_leads_out_of_the_folder(uploads: Uploads, tmp_path: Path, name: str, group: str) -> None:
    with pytest.raises(DataError, match=r"is not a name that a file can be sent under$"):
        uploads.begin(request(b"x", name, group))
    assert not (tmp_path / "uploads").exists()


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a", "é" * 200)])
def test_what_the_disk_cannot_hold_is_refused_in_one_line(uploads: Uploads, first: str, second: str) -> None:
    uploads.begin(request(b"x", first))
    with pytest.raises(DataError, match=r"cannot be stored: .+$"):
        uploads.begin(request(b"x", second))


def test_the_same_name_is_taken_again_only_when_it_was_dropped(uploads: Uploads) -> None:
    first = uploads.begin(request(b"x"))
    with pytest.raises(DataError, match=r"^a\.bin was sent already, with other contents$"):
        uploads.begin(request(b"y"))
    uploads.drop(first.upload)
    assert uploads.begin(request(b"y")).offset == 0


def test_a_server_may_take_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="takes no uploads"):
        Uploads(tmp_path, 0).begin(request(b"x"))


def test_the_digest_may_come_last_and_still_counts(uploads: Uploads) -> None:
    data = b"x" * 100
    later = replace(request(data), digest="")
    state = uploads.begin(later)
    state = uploads.append(state.upload, 0, data[:60], "of no interest yet")
    assert uploads.append(state.upload, 60, data[60:], request(data).digest).complete
    for digest in ("", "wrong"):
        state = uploads.begin(replace(later, name="b.bin"))
        with pytest.raises(DataError, match="arrived damaged"):
            uploads.append(state.upload, 0, data, digest)


def test_what_was_read_is_released_and_leaves_no_folder(uploads: Uploads, tmp_path: Path) -> None:
    data = b"x" * LIMIT_BYTES
    state = uploads.begin(request(data, "arrays/a.npy"))
    uploads.release(state.path)  # not all of it is there
    path = Path(uploads.append(state.upload, 0, data).path) / "a.npy"
    uploads.release("/etc/passwd")
    assert path.is_file()
    uploads.release(str(path))
    assert list((tmp_path / "uploads").iterdir()) == []
    assert uploads.begin(request(data)).offset == 0


def test_what_nobody_goes_on_with_goes_when_another_begins(tmp_path: Path) -> None:
    now_s = [0.0]
    uploads = Uploads(tmp_path / "uploads", LIMIT_BYTES, clock=lambda: now_s[0])
    data = b"x" * LIMIT_BYTES
    half, whole = uploads.begin(request(data[:100])), uploads.begin(request(data[:200], "whole"))
    uploads.append(half.upload, 0, data[:50])
    uploads.append(whole.upload, 0, data[:200])
    now_s[0] = FORGOTTEN_S - 1
    with pytest.raises(DataError, match="too large"):
        uploads.begin(request(data[:800], "c.bin"))
    uploads.append(half.upload, 50, data[:1])
    now_s[0] += FORGOTTEN_S
    with pytest.raises(DataError, match="too large"):
        uploads.begin(request(data[:801], "d.bin"))
    now_s[0] += 2
    assert uploads.begin(request(data[:800], "e.bin")).offset == 0
    assert Path(whole.path).is_file()
