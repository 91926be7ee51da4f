"""AckWindow: what is on its way, and what an ack takes from it."""

from __future__ import annotations

from napari_cuda.server.encode.window import SMALLEST, AckWindow, Sent


def test_is_empty_and_has_all_its_room_at_first() -> None:
    window = AckWindow()
    assert (window.size, window.in_flight, window.room, window.empty) == (SMALLEST, 0, SMALLEST, True)


def test_each_packet_takes_room_and_each_ack_gives_it_back() -> None:
    window = AckWindow()
    window.sent(0, 100, 0.0)
    assert (window.room, window.bytes_in_flight, window.empty) == (1, 100, False)
    window.sent(1, 50, 0.5)
    assert (window.room, window.bytes_in_flight) == (0, 150)
    assert window.acked(0) == [Sent(0, 100, 0.0)]
    assert (window.room, window.bytes_in_flight) == (1, 50)
    assert window.acked(1) == [Sent(1, 50, 0.5)]
    assert (window.room, window.empty) == (2, True)


def test_an_ack_acknowledges_all_before_it() -> None:
    window = AckWindow()
    for seq in range(4):
        window.sent(seq, 10, float(seq))
    assert [sent.seq for sent in window.acked(2)] == [0, 1, 2]
    assert window.in_flight == 1


def test_acks_of_what_is_not_in_flight_are_refused_and_change_nothing() -> None:
    window = AckWindow()
    window.sent(0, 10, 0.0)
    window.sent(1, 10, 0.0)
    assert window.acked(7) == []
    assert window.acked(1)
    assert window.acked(0) == window.acked(1) == []
    assert window.empty


def test_a_reset_forgets_what_is_on_the_way() -> None:
    window = AckWindow()
    window.sent(0, 10, 0.0)
    window.reset()
    assert window.empty
    assert window.acked(0) == []


def test_a_window_that_shrinks_has_no_room_until_enough_has_arrived() -> None:
    window = AckWindow()
    window.size = 4
    for seq in range(4):
        window.sent(seq, 10, 0.0)
    window.size = 2
    window.acked(1)
    assert window.room == 0
    window.acked(2)
    assert window.room == 1
