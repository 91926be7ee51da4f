"""What the window says of its connection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_cuda.client.connection_text import (
    STATES,
    ConnectionFacts,
    connection_rows,
    welcome_text,
    window_title,
)
from napari_cuda.client.loop_state import LoopPhase
from napari_cuda.protocol import messages as m

WELCOME = m.Welcome(1, "abcdef0123456789", "V1", "napari-cuda 1 (napari 0.9)", 2.0, "secret", 0, "node17", "cells.zarr")
FACTS = ConnectionFacts("127.0.0.1:8765", LoopPhase.STREAMING, welcome=WELCOME)


def test_every_phase_has_words() -> None:
    assert set(STATES) == set(LoopPhase)


def test_the_title_names_session_machine_address_and_state() -> None:
    assert window_title(FACTS) == "cells.zarr — node17 (127.0.0.1:8765) — connected"
    lost = replace(FACTS, phase=LoopPhase.RECONNECTING, reason="the cable")
    assert window_title(lost) == "cells.zarr — node17 (127.0.0.1:8765) — reconnecting"
    assert window_title(ConnectionFacts("h:1", LoopPhase.CONNECTING)) == "h:1 — connecting"


def test_a_machine_is_not_named_twice() -> None:
    assert replace(FACTS, address="node17.example.org:8765").place == "node17.example.org:8765"


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (LoopPhase.CONNECTING, "Connecting to node17 (127.0.0.1:8765) …"),
        (LoopPhase.STREAMING, "Nothing is open on node17 (127.0.0.1:8765).\nDrag file(s) here to upload them there"),
        (LoopPhase.STOPPED, "Disconnected: node17 (127.0.0.1:8765)\nthe server was stopped"),
    ],
)
def test_an_empty_window_says_what_can_be_done(phase: LoopPhase, words: str) -> None:
    assert welcome_text(replace(FACTS, phase=phase, reason="the server was stopped")).startswith(words)


def test_the_rows_leave_out_what_is_not_known() -> None:
    assert connection_rows(ConnectionFacts("h:1", LoopPhase.CONNECTING)) == [
        ("State", "connecting"),
        ("Address", "h:1"),
    ]
    full = replace(FACTS, round_trip_s=0.0123, decoder="software", own_version="napari-cuda 2", reason="a reason")
    assert connection_rows(full) == [
        ("State", "connected: a reason"),
        ("Address", "127.0.0.1:8765"),
        ("Machine", "node17"),
        ("Session", "cells.zarr (abcdef01)"),
        ("Round trip", "12 ms"),
        ("Decoder", "software"),
        ("Server", "napari-cuda 1 (napari 0.9)"),
        ("Here", "napari-cuda 2"),
    ]
    assert "secret" not in str(connection_rows(full))
