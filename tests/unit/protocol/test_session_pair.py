"""Both ends of a session against each other, and against anything else, through strings in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import session as s
from napari_cuda.protocol.session import ClientSession, RoundTrip, ServerSession, SessionClosed, SessionState

HELLO = m.Hello([m.PROTOCOL_VERSION], "test")
WELCOME = m.Welcome(m.PROTOCOL_VERSION, "S1", "V1", "server", s.PING_INTERVAL_S)


def talk(one: ClientSession, other: ServerSession, now_s: float) -> None:
    """Carry what both have to say until neither has more; the server accepts a hello."""
    while True:
        to_server, to_client = one.data_to_send(), other.data_to_send()
        if not to_server and not to_client:
            return
        for text in to_server:
            other.receive_data(text, now_s)
            if not other.closed and other.state is SessionState.HANDSHAKE:
                other.accept(WELCOME)
        for text in to_client:
            one.receive_data(text, now_s)


def test_both_ends_against_each_other() -> None:
    one, other = ClientSession(HELLO, 0.0), ServerSession(0.0)
    talk(one, other, 0.0)
    assert one.events_received() == [WELCOME]
    assert other.events_received() == [HELLO]
    intent = m.LayerIntent(1, "L1", {"opacity": 0.5})
    one.send(intent, 1.0)
    talk(one, other, 1.0)
    assert other.events_received() == [intent]
    other.send(m.LayerUpdate(2, "L1", {"opacity": 0.5}))
    other.send(m.Ack(1, 2))
    talk(one, other, 1.0)
    assert one.events_received() == [m.LayerUpdate(2, "L1", {"opacity": 0.5}), m.Ack(1, 2)]
    one.say_goodbye("closed by the user")
    talk(one, other, 2.0)
    assert other.events_received() == [SessionClosed("session.goodbye", "closed by the user")]
    assert one.closed
    assert other.closed


def test_two_idle_ends_keep_each_other_alive_for_an_hour() -> None:
    one, other = ClientSession(HELLO, 0.0), ServerSession(0.0)
    talk(one, other, 0.0)
    now_s, ticks = 0.0, 0
    while now_s < 3600.0:
        now_s = min(one.next_tick_s(), other.next_tick_s())
        one.tick(now_s)
        other.tick(now_s)
        talk(one, other, now_s)
        ticks += 1
    assert one.state is other.state is SessionState.OPEN
    assert ticks <= 3600 / s.PING_INTERVAL_S + 1
    assert {type(event) for event in one.events_received()} == {m.Welcome, RoundTrip}


texts = st.one_of(
    st.text(max_size=20),
    st.binary(max_size=20),
    st.sampled_from(
        [HELLO, WELCOME, m.Reject("a", "b"), m.Ping(1), m.Pong(1), m.Goodbye("x"), m.CameraIntent(3, {}), m.Ack(3, 1)]
    ).map(m.encode),
)


@given(st.lists(st.tuples(texts, st.floats(0, 30)), max_size=40), st.booleans())
def test_no_sequence_of_messages_breaks_either_end(arrivals: list[tuple[str | bytes, float]], as_server: bool) -> None:
    session: ClientSession | ServerSession = ServerSession(0.0) if as_server else ClientSession(HELLO, 0.0)
    now_s, closes = 0.0, 0
    for text, pause_s in arrivals:
        now_s += pause_s
        session.tick(now_s)
        session.receive_data(text, now_s)
        for event in session.events_received():
            assert not closes
            closes += isinstance(event, SessionClosed)
            if isinstance(event, m.Hello) and isinstance(session, ServerSession):
                session.accept(WELCOME)
    assert session.closed == bool(closes)
    for sent in session.data_to_send():
        (m.decode_server if as_server else m.decode_client)(sent)
