"""LogRing: bounded, numbered, and never the token."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from napari_cuda.server.log_ring import LONGEST_LINE, MOST_LINES, LogRing

TOKEN = "a-token-of-some-length"
VIEW_TOKEN = "another-for-those-who-look"


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    logger = logging.Logger("tests")
    yield logger
    logger.handlers.clear()


@pytest.fixture
def ring(log: logging.Logger) -> LogRing:
    ring = LogRing(TOKEN, VIEW_TOKEN)
    log.addHandler(ring)
    return ring


def test_lines_after_a_number(log: logging.Logger, ring: LogRing) -> None:
    assert ring.since(0) == (0, [])
    log.info("one\nand its second line")
    log.warning("two")
    newest, lines = ring.since(0)
    assert newest == 3
    assert [line.split(" ", 1)[-1] for line in lines] == ["INFO one", "its second line", "WARNING two"]
    assert ring.since(2) == (3, lines[2:])
    assert ring.since(3) == (3, [])


@pytest.mark.parametrize("number", [99, -1])
def test_a_number_of_another_log_gets_everything(log: logging.Logger, ring: LogRing, number: int) -> None:
    log.info("one")
    assert [line[-3:] for line in ring.since(number)[1]] == ["one"]


def test_it_is_bounded_and_says_the_newest(log: logging.Logger, ring: LogRing) -> None:
    for number in range(MOST_LINES + 20):
        log.info("line %d", number)
    newest, lines = ring.since(0)
    assert (newest, len(lines)) == (MOST_LINES + 20, MOST_LINES)
    assert lines[0].endswith("line 20")
    assert lines[-1].endswith(f"line {MOST_LINES + 19}")
    assert len(ring.since(newest - 5)[1]) == 5
    log.info("x" * 10_000)
    assert len(ring.since(newest)[1][0]) == LONGEST_LINE + 1


@pytest.mark.parametrize(
    "words",
    [
        f"connect to http://h/?token={TOKEN}",
        "GET /ws?token=other&x=1",
        "Authorization: Bearer abc.def",
        f"it is {TOKEN}!",
    ],
)
def test_no_secret_is_in_it(log: logging.Logger, ring: LogRing, words: str) -> None:
    log.info(words)
    line = ring.since(0)[1][0]
    assert not any(secret in line for secret in (TOKEN, "other", "abc.def"))
    assert "…" in line


def test_what_is_no_news_is_left_out(log: logging.Logger, ring: LogRing) -> None:
    log.debug("details")
    assert ring.since(0) == (0, [])
