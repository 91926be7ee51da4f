from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.server.encode.window import WINDOW, AckWindow


def test_is_empty_and_has_all_its_room_at_first() -> None:
    window = AckWindow()
    assert (window.in_flight, window.room, window.empty) == (0, WINDOW, True)


def test_each_packet_takes_room_and_each_ack_gives_it_back() -> None:
    window = AckWindow(2)
    window.sent(0)
    assert (window.room, window.empty) == (1, False)
    window.sent(1)
    assert (window.room, window.empty) == (0, False)
    assert window.acked(0)
    assert (window.room, window.empty) == (1, False)
    assert window.acked(1)
    assert (window.room, window.empty) == (2, True)


def test_an_ack_acknowledges_all_before_it() -> None:
    window = AckWindow(4)
    for seq in range(4):
        window.sent(seq)
    assert window.acked(2)
    assert window.in_flight == 1


def test_acks_of_what_is_not_in_flight_are_refused_and_change_nothing() -> None:
    window = AckWindow(2)
    window.sent(5)
    for seq in (4, 6, -1, 2**70):
        assert not window.acked(seq)
    assert window.in_flight == 1
    assert window.acked(5)
    assert not window.acked(5)


def test_a_reset_forgets_what_is_on_the_way() -> None:
    window = AckWindow(2)
    window.sent(1)
    window.sent(2)
    window.reset()
    assert window.empty
    assert not window.acked(2)


def test_room_is_never_negative() -> None:
    window = AckWindow(1)
    window.sent(0)
    window.sent(1)
    assert window.room == 0


@given(st.integers(1, 5), st.lists(st.integers(0, 40), max_size=60))
def test_a_sender_that_asks_for_room_never_has_more_on_the_way(size: int, acks: list[int]) -> None:
    window, newest = AckWindow(size), -1
    for ack in acks:
        while window.room:
            newest += 1
            window.sent(newest)
        assert window.in_flight == size
        known = newest - size < ack <= newest
        assert window.acked(ack) == known
        assert window.in_flight == (newest - ack if known else size)
