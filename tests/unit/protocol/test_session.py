"""The session core without a socket: every transition, every refusal, every clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import session as s
from napari_cuda.protocol.errors import ProtocolError
from napari_cuda.protocol.session import (
    ClientSession,
    RoundTrip,
    ServerSession,
    SessionClosed,
    SessionState,
    Unanswered,
)

HELLO = m.Hello([m.PROTOCOL_VERSION], "test")
WELCOME = m.Welcome(m.PROTOCOL_VERSION, "S1", "V1", "server", s.PING_INTERVAL_S)
NONSENSE = "{]"
HANDSHAKE, OPEN, CLOSED = SessionState.HANDSHAKE, SessionState.OPEN, SessionState.CLOSED


def client() -> ClientSession:
    session = ClientSession(HELLO, 0.0)
    session.data_to_send()
    return session


def server() -> ServerSession:
    return ServerSession(0.0)


def open_client() -> ClientSession:
    session = client()
    session.receive_data(m.encode(WELCOME), 0.0)
    session.events_received()
    return session


def open_server() -> ServerSession:
    session = server()
    session.receive_data(m.encode(HELLO), 0.0)
    session.accept(WELCOME)
    session.events_received()
    session.data_to_send()
    return session


def said(session: ClientSession | ServerSession) -> list[Any]:
    """What the session wants to send, decoded."""
    decode = m.decode_client if isinstance(session, ClientSession) else m.decode_server
    return [decode(text) for text in session.data_to_send()]


def flood(session: ServerSession) -> None:
    for _ in range(s.MAX_PROTOCOL_ERRORS + 1):
        session.receive_data(NONSENSE, 1.0)


def wait(session: Any, until_s: float) -> None:
    """Let the time pass as a host does: a tick whenever one is due."""
    while not session.closed and (due_s := session.next_tick_s()) <= until_s:
        session.tick(due_s)
    session.tick(until_s)


Scenario = tuple[Callable[[], Any], Callable[[Any], None]]
SILENT_S = max(s.CLIENT_SILENCE_S, s.SERVER_SILENCE_S)
SCENARIOS: dict[tuple[SessionState, str], list[Scenario]] = {
    (HANDSHAKE, "accepted"): [
        (client, lambda c: c.receive_data(m.encode(WELCOME), 1.0)),
        (server, lambda v: (v.receive_data(m.encode(HELLO), 1.0), v.accept(WELCOME))),
    ],
    (HANDSHAKE, "refused"): [
        (client, lambda c: c.receive_data(m.encode(m.Reject("protocol.version", "too old")), 1.0)),
        (client, lambda c: c.receive_data(m.encode(m.Status("early")), 1.0)),
        (server, lambda v: v.receive_data(m.encode(m.Hello([99], "future")), 1.0)),
        (server, lambda v: v.receive_data(m.encode(m.CameraIntent(1, {})), 1.0)),
        (server, lambda v: v.receive_data(NONSENSE, 1.0)),
        (server, lambda v: v.reject("server.full", "too many viewers")),
        (server, lambda v: wait(v, s.HELLO_TIMEOUT_S)),
    ],
    (HANDSHAKE, "peer lost"): [(client, lambda c: wait(c, SILENT_S))],
    (HANDSHAKE, "goodbye"): [
        (client, lambda c: c.receive_data(m.encode(m.Goodbye("stopping")), 1.0)),
        (server, lambda v: v.receive_data(m.encode(m.Goodbye("never mind")), 1.0)),
        (client, lambda c: c.say_goodbye("never mind")),
        (server, lambda v: v.say_goodbye("stopping")),
    ],
    (OPEN, "goodbye"): [
        (open_client, lambda c: c.receive_data(m.encode(m.Goodbye("stopping")), 1.0)),
        (open_server, lambda v: v.receive_data(m.encode(m.Goodbye("closed")), 1.0)),
        (open_client, lambda c: c.say_goodbye("closed")),
        (open_server, lambda v: v.say_goodbye("stopping")),
    ],
    (OPEN, "refused"): [(open_server, flood)],
    (OPEN, "peer lost"): [(open_client, lambda c: wait(c, SILENT_S)), (open_server, lambda v: wait(v, SILENT_S))],
}
RUNS = [(row, make, act) for row, scenarios in SCENARIOS.items() for make, act in scenarios]


class Watched(dict[tuple[SessionState, str], SessionState]):
    """A table that notes which rows were looked up."""

    def __init__(self, rows: dict[tuple[SessionState, str], SessionState]) -> None:
        super().__init__(rows)
        self.used: list[tuple[SessionState, str]] = []

    def __getitem__(self, row: tuple[SessionState, str]) -> SessionState:
        self.used.append(row)
        return super().__getitem__(row)


def test_every_row_has_a_scenario() -> None:
    assert set(SCENARIOS) == set(s.TRANSITIONS)


def test_nothing_leads_out_of_closed_nor_back_to_the_handshake() -> None:
    assert all(state is not CLOSED for state, _ in s.TRANSITIONS)
    assert HANDSHAKE not in s.TRANSITIONS.values()


@pytest.mark.parametrize(("row", "make", "act"), RUNS, ids=lambda value: str(value) if isinstance(value, tuple) else "")
def test_each_row_is_taken(
    row: tuple[SessionState, str], make: Callable[[], Any], act: Callable[[Any], None], monkeypatch: Any
) -> None:
    session = make()
    assert session.state is row[0]
    table = Watched(s.TRANSITIONS)
    monkeypatch.setattr(s, "TRANSITIONS", table)
    act(session)
    assert table.used == [row]
    assert session.state is s.TRANSITIONS[row]
    assert session.closed == (session.state is CLOSED)


@pytest.mark.parametrize(("row", "make", "act"), RUNS, ids=lambda value: str(value) if isinstance(value, tuple) else "")
def test_a_closed_session_stays_closed_and_silent(
    row: tuple[SessionState, str], make: Callable[[], Any], act: Callable[[Any], None]
) -> None:
    session = make()
    act(session)
    if not session.closed:
        session.say_goodbye("end")
    closes = [event for event in session.events_received() if isinstance(event, SessionClosed)]
    assert len(closes) <= 1
    session.data_to_send()
    for text in (m.encode(m.Ping(1)), m.encode(m.Goodbye("again")), m.encode(HELLO), m.encode(WELCOME), NONSENSE):
        session.receive_data(text, 2.0)
    session.tick(1000.0)
    session.say_goodbye("again")
    assert session.events_received() == []
    assert session.data_to_send() == []
    assert session.closed


REFUSALS = [
    (client, m.encode(m.Reject("server.full", "too many viewers")), "server.full", "too many viewers"),
    (client, m.encode(m.Ack(1, 1)), "protocol.order", "server sent Ack before its welcome"),
    (server, m.encode(m.Hello([99], "future")), "protocol.version", "install the same napari-cuda on both sides"),
    (server, m.encode(m.Hello([], "none")), "protocol.version", "install the same napari-cuda on both sides"),
    (server, m.encode(m.CameraIntent(1, {})), "protocol.order", "expected session.hello first, got CameraIntent"),
    (server, NONSENSE, "protocol.malformed", "not JSON"),
    (server, '{"type":"session.what"}', "protocol.unknown_type", "session.what"),
    (server, '{"type":"session.hello","versions":"1","client":"x"}', "protocol.invalid", "versions"),
]


@pytest.mark.parametrize(("make", "text", "code", "words"), REFUSALS)
def test_a_bad_handshake_is_refused_by_name(make: Callable[[], Any], text: str, code: str, words: str) -> None:
    session = make()
    session.receive_data(text, 1.0)
    [closed] = session.events_received()
    assert isinstance(closed, SessionClosed)
    assert closed.code == code
    assert words in closed.message
    if isinstance(session, ServerSession):
        assert said(session) == [m.Reject(code, closed.message)]
    else:
        assert said(session) == []


def test_the_client_speaks_first_and_the_server_waits() -> None:
    assert said(ClientSession(HELLO, 0.0)) == [HELLO]
    assert server().data_to_send() == []


def test_a_hello_with_other_versions_too_is_accepted() -> None:
    session = server()
    hello = m.Hello([7, m.PROTOCOL_VERSION], "newer")
    session.receive_data(m.encode(hello), 1.0)
    assert session.events_received() == [hello]
    assert session.state is HANDSHAKE


def test_a_second_hello_is_answered_and_harms_nothing() -> None:
    session = open_server()
    session.receive_data(m.encode(HELLO), 1.0)
    assert said(session) == [m.Error("protocol.order", "session.hello was sent twice")]
    assert session.events_received() == []
    assert session.state is OPEN


def test_intents_need_an_open_session() -> None:
    with pytest.raises(ProtocolError) as caught:
        client().send(m.CameraIntent(1, {}), 0.0)
    assert caught.value.code == "session.not_open"
    ended = open_client()
    ended.say_goodbye("end")
    with pytest.raises(ProtocolError):
        ended.send(m.CameraIntent(1, {}), 0.0)


def test_the_server_says_nothing_before_the_welcome_and_after_the_end() -> None:
    session = server()
    session.send(m.Status("early"))
    session.receive_data(m.encode(HELLO), 0.0)
    session.accept(WELCOME)
    session.send(m.Status("now"))
    assert said(session) == [WELCOME, m.Status("now")]
    session.say_goodbye("end")
    session.send(m.Status("late"))
    assert said(session) == [m.Goodbye("end")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (NONSENSE, "protocol.malformed"),
        (b"\xff", "protocol.malformed"),
        ('{"type":"layer.paint"}', "protocol.unknown_type"),
        ('{"type":"camera.intent","intent":1}', "protocol.invalid"),
        ('{"type":"camera.intent","intent":-1,"values":{}}', "protocol.invalid"),
    ],
)
def test_nonsense_in_an_open_session_is_answered_and_survived(text: str | bytes, code: str) -> None:
    session = open_server()
    session.receive_data(text, 1.0)
    [answer] = said(session)
    assert isinstance(answer, m.Error)
    assert answer.code == code
    intent = m.CameraIntent(1, {"zoom": 2.0})
    session.receive_data(m.encode(intent), 1.0)
    assert session.events_received() == [intent]


def test_a_flood_of_nonsense_ends_the_session() -> None:
    session = open_server()
    for _ in range(s.MAX_PROTOCOL_ERRORS):
        session.receive_data(NONSENSE, 1.0)
    assert session.state is OPEN
    assert len(said(session)) == s.MAX_PROTOCOL_ERRORS
    session.receive_data(NONSENSE, 1.0)
    assert said(session) == [m.Goodbye("too many malformed messages")]
    assert session.events_received() == [SessionClosed("protocol.flood", "too many malformed messages")]


def test_a_newer_server_may_say_what_the_client_does_not_know() -> None:
    session = open_client()
    for _ in range(3 * s.MAX_PROTOCOL_ERRORS):
        session.receive_data('{"type":"hologram.update","id":1}', 1.0)
    events = session.events_received()
    assert {type(event) for event in events} == {m.Error}
    assert {event.code for event in events if isinstance(event, m.Error)} == {"protocol.unknown_type"}
    assert session.state is OPEN
    assert session.data_to_send() == []


@pytest.mark.parametrize("make", [client, server, open_client, open_server])
def test_a_ping_is_answered_at_once_with_its_token(make: Callable[[], Any]) -> None:
    session = make()
    session.receive_data(m.encode(m.Ping(41)), 1.0)
    assert said(session) == [m.Pong(41)]
    assert session.events_received() == []


@pytest.mark.parametrize("make", [open_client, open_server])
def test_pings_go_out_on_time_and_their_pong_is_a_round_trip(make: Callable[[], Any]) -> None:
    session = make()
    session.tick(s.PING_INTERVAL_S - 0.01)
    assert said(session) == []
    assert session.next_tick_s() == s.PING_INTERVAL_S
    session.tick(s.PING_INTERVAL_S)
    [ping] = said(session)
    assert session.next_tick_s() == 2 * s.PING_INTERVAL_S
    session.tick(s.PING_INTERVAL_S + 0.01)
    assert said(session) == []
    session.receive_data(m.encode(m.Pong(ping.token)), s.PING_INTERVAL_S + 0.25)
    assert session.events_received() == [RoundTrip(0.25)]
    session.receive_data(m.encode(m.Pong(ping.token)), s.PING_INTERVAL_S + 0.5)
    session.receive_data(m.encode(m.Pong(12345)), s.PING_INTERVAL_S + 0.5)
    assert session.events_received() == []


@pytest.mark.parametrize(
    ("make", "patience_s"),
    [(client, s.SERVER_SILENCE_S), (open_client, s.SERVER_SILENCE_S), (open_server, s.CLIENT_SILENCE_S)],
)
def test_silence_ends_the_session_and_any_message_breaks_it(make: Callable[[], Any], patience_s: float) -> None:
    session = make()
    wait(session, 5.0)
    session.receive_data(m.encode(m.Pong(0)), 5.0)
    wait(session, 5.0 + patience_s - 0.01)
    assert not session.closed
    wait(session, 5.0 + patience_s)
    assert session.closed
    closed = session.events_received()[-1]
    assert (closed.code, closed.message) == ("session.silent", f"nothing heard from the peer for {patience_s:.0f} s")


def test_who_says_no_hello_is_sent_away() -> None:
    session = server()
    wait(session, s.HELLO_TIMEOUT_S - 0.01)
    assert not session.closed
    wait(session, s.HELLO_TIMEOUT_S)
    assert session.closed
    assert said(session)[-1] == m.Reject("protocol.slow", "no session.hello within 10 s")


@pytest.mark.parametrize("make", [open_client, open_server])
def test_a_process_that_did_not_run_blames_nobody(make: Callable[[], Any]) -> None:
    session = make()
    wait(session, 1.0)
    for now_s in (1000.0, 1000.0 + LONG_S, 1000.0 + 2 * LONG_S):
        session.tick(now_s)
        assert not session.closed
    wait(session, 1000.0 + 3 * LONG_S)
    assert session.closed, "but then it must be heard"


LONG_S = s.CLIENT_SILENCE_S


def test_intents_of_a_process_that_did_not_run_are_not_given_up() -> None:
    session = open_client()
    session.send(m.CameraIntent(1, {"zoom": 1.0}), 0.0)
    session.tick(1000.0)
    session.receive_data(m.encode(m.Ack(1, 5)), 1000.0)
    assert session.events_received() == [m.Ack(1, 5)]


def test_next_tick_is_never_later_than_the_end_of_patience() -> None:
    session = open_client()
    wait(session, s.SERVER_SILENCE_S - 1)
    assert session.next_tick_s() == s.SERVER_SILENCE_S


def test_what_no_server_takes_is_not_sent() -> None:
    session = open_client()
    session.send(m.LayerIntent(1, "L1", {"name": "ä" * (m.MAX_MESSAGE_BYTES // 2)}), 0.0)
    session.send(m.CameraIntent(2, {"zoom": 1.0}), 0.0)
    assert session.events_received() == [Unanswered((1,), "more than 1 MiB in one message")]
    assert [m.decode_client(text) for text in session.data_to_send()] == [m.CameraIntent(2, {"zoom": 1.0})]


def test_intents_without_an_ack_are_reported_once_each() -> None:
    session = open_client()

    def hear(message: m.ServerMessage, now_s: float) -> None:
        wait(session, now_s)
        session.receive_data(m.encode(message), now_s)

    for number, now_s in [(1, 0.0), (2, 0.0), (3, 4.0), (4, 7.0)]:
        hear(m.Pong(0), now_s)
        session.send(m.CameraIntent(number, {"zoom": 1.0}), now_s)
    hear(m.Ack(1, 5), 14.0)
    assert session.events_received() == [m.Ack(1, 5)]
    wait(session, s.ACK_TIMEOUT_S - 0.01)
    assert session.events_received() == []
    session.tick(s.ACK_TIMEOUT_S)
    assert session.events_received() == [Unanswered((2,))]
    hear(m.Pong(0), s.ACK_TIMEOUT_S + 4.0)
    session.tick(s.ACK_TIMEOUT_S + 4.0)
    assert session.events_received() == [Unanswered((3,))]
    hear(m.Ack(4, 6), 20.0)
    session.events_received()
    wait(session, 24.0)
    assert session.events_received() == []


def test_an_ack_settles_all_up_to_its_number() -> None:
    session = open_client()
    for number in range(1, 6):
        session.send(m.Command(number, "x"), 0.0)
    session.receive_data(m.encode(m.Ack(5, 1)), 1.0)
    session.events_received()
    wait(session, 7.0)
    session.receive_data(m.encode(m.Pong(0)), 7.0)
    wait(session, 14.0)
    session.receive_data(m.encode(m.Pong(0)), 14.0)
    wait(session, s.ACK_TIMEOUT_S + 0.5)
    assert session.events_received() == []


def test_a_lost_session_reports_its_end_and_not_also_its_intents() -> None:
    session = open_client()
    session.send(m.CameraIntent(1, {}), 0.0)
    wait(session, s.ACK_TIMEOUT_S)
    assert [type(event) for event in session.events_received()] == [SessionClosed]
