"""Recent connections: newest first, bounded, private, and never in the way."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from napari_cuda.client.recent import MOST_KEPT, Recent, RecentConnections


@pytest.fixture
def recent(tmp_path: Path) -> RecentConnections:
    return RecentConnections(tmp_path / "napari-cuda" / "recent.json")


def test_newest_first_and_each_once(recent: RecentConnections) -> None:
    assert recent.read() == []
    for address in ("http://a:1/", "http://b:1/", "http://a:1/"):
        recent.remember(Recent(address, f"session of {address}"))
    assert recent.read() == [Recent(f"http://{h}:1/", f"session of http://{h}:1/") for h in "ab"]


def test_it_is_bounded(recent: RecentConnections) -> None:
    for number in range(MOST_KEPT + 3):
        recent.remember(Recent(f"http://h:{number}/"))
    kept = [entry.address for entry in recent.read()]
    assert kept == [f"http://h:{number}/" for number in range(MOST_KEPT + 2, 2, -1)]


def test_a_token_is_kept_only_if_given_and_for_the_owner_alone(recent: RecentConnections) -> None:
    recent.remember(Recent("http://a:1/", token="secret-word"))
    assert recent.read()[0].token == "secret-word"
    assert stat.S_IMODE(recent.file.stat().st_mode) == 0o600
    assert "secret-word" not in repr(recent.read())
    recent.remember(Recent("http://a:1/"))
    assert "secret-word" not in recent.file.read_text()


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}', b'[{"address": 3}]', b"\xff"])
def test_a_broken_file_is_an_empty_list_and_is_replaced(
    recent: RecentConnections, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    recent.file.parent.mkdir()
    recent.file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert recent.read() == []
    assert str(recent.file) in caplog.text
    recent.remember(Recent("http://a:1/"))
    assert recent.read() == [Recent("http://a:1/")]


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        RecentConnections(tmp_path / "file" / "recent.json").remember(Recent("http://a:1/"))
    assert "recent connections are not remembered" in caplog.text
