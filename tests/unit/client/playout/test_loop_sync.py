from __future__ import annotations

from napari_cuda.client.playout.loop_sync import LoopSyncState


def test_nothing_happened_nothing_to_say() -> None:
    assert LoopSyncState().take_line() is None


def test_a_discontinuity_is_said_once() -> None:
    sync = LoopSyncState()
    sync.discontinuity("3 missing before packet 8", 0.0)
    assert sync.take_line() == "discontinuity in the stream: 3 missing before packet 8"
    assert sync.take_line() is None


def test_what_follows_within_a_second_is_counted_and_said_with_the_next_line() -> None:
    sync = LoopSyncState()
    lines = []
    for tick in range(25):
        sync.discontinuity(f"break {tick}", tick / 10)
        lines.append(sync.take_line())
    assert [line for line in lines if line] == [
        "discontinuity in the stream: break 0",
        "discontinuity in the stream: break 10 (9 more since the last such line)",
        "discontinuity in the stream: break 20 (9 more since the last such line)",
    ]
    sync.discontinuity("much later", 99.0)
    assert sync.take_line() == "discontinuity in the stream: much later (4 more since the last such line)"
