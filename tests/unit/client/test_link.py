"""What a lost and a regained connection mean on the GUI thread, without a socket."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from napari_cuda.client import link as link_module
from napari_cuda.client.config import ClientConfig
from napari_cuda.client.link import ServerLink
from napari_cuda.client.loop_state import ClientLoopState, LoopPhase
from napari_cuda.client.net.state_channel import StateChannel, StateController
from napari_cuda.client.net.transport import ConnectionLost
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.packet import PacketHeader, PacketKind
from napari_cuda.worker import Deadline
from replica import layer

FIRST = m.Welcome(1, "S1", "V1", "server", 2.0, "secret", 0)
SNAPSHOT = m.SceneSnapshot(5, [layer("L1", opacity=1)], {}, {}, {"zoom": 1}, {})
LOST = ConnectionLost("the cable was pulled", 10.0, final=False)


class Desk:
    """Everything around a link: a host that keeps what it is told, a mirror, a receiver, pixel sockets."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.sent: list[m.Intent] = []
        self.banner: str | None = None
        self.renewals = 0
        self.layers_missing = 0
        self.now_s = 100.0
        self.broken = False
        self.layers_before: list[tuple[int, LoopPhase]] = []
        self.pixels: list[str] = []
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.state = ClientLoopState()
        self.metrics = ClientMetrics()
        self.epoch, self.opened_s = 0, 0.0
        self.link = ServerLink(ClientConfig("ws://host", "t"), self, self, self.state, self, self.metrics, client="x")

    # the host
    def post(self, call: Callable[[], None]) -> None:
        self.layers_before.append((self.layers_missing, self.state.phase))
        call()

    def call_at(self, due_s: float, call: Callable[[], None]) -> None:
        self.later.append((due_s, call))

    def notify(self, text: str) -> None:
        self.said.append(text)

    def show_state(self, text: str | None) -> None:
        self.banner = text

    def viewer_renewed(self) -> None:
        self.renewals += 1

    # the mirror
    @property
    def busy(self) -> bool:
        return self.layers_missing > 0

    def take_step(self) -> None:
        self.layers_missing -= 1
        self.now_s += 0.6 * link_module.LAYERS_TURN_S  # two steps are a turn

    def handle(self, message: object) -> None:
        if self.broken:
            raise IndexError("index 3 is out of bounds")
        if isinstance(message, m.SceneSnapshot):
            self.state.control.begin(message)
        if isinstance(message, m.SceneResumed):
            self.state.control.revision = message.revision

    def flush(self) -> None:
        self.sent += self.state.control.take_intents()

    # the receiver
    def is_since(self, epoch: int, lost_s: float) -> bool:
        return self.opened_s > lost_s and epoch == self.epoch

    def happen(self, *events: object) -> None:
        for event in events:
            self.link._on_event(event)  # type: ignore[arg-type]

    def show(self, revision: int) -> None:
        self.link.shown(PacketHeader(PacketKind.ACCESS_UNIT, 0, self.epoch, revision, 0, 0, (4, 2), (4, 2)))


class Pixels:
    """Stands for the ReceiveController: keeps what it is asked for."""

    def __init__(self, _config: object, viewer: str, desk: Desk) -> None:
        self._asked = desk.pixels
        self._asked.append(f"made for {viewer}")

    def start(self) -> None:
        self._asked.append("start")

    def follow(self, viewer: str) -> None:
        self._asked.append(f"follow {viewer}")

    def drop_older(self, at_s: float) -> None:
        self._asked.append(f"drop older than {at_s:g}")

    def request_close(self) -> None:
        self._asked.append("close")

    def stop(self, _deadline_s: float) -> bool:
        self._asked.append("join")
        return True


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A link that streams, with one intent and one command on their way."""
    monkeypatch.setattr(link_module, "ReceiveController", Pixels)
    desk = Desk()
    desk.happen(FIRST, SNAPSHOT)
    assert desk.pixels == ["made for V1", "start"]
    control = desk.state.control
    control.set_local("camera", "zoom", 2)
    control.command("layer.remove", {"layer": "L1"})
    assert len(control.take_intents()) == 2
    assert desk.state.phase is LoopPhase.STREAMING
    return desk


def test_a_loss_is_shown_until_a_picture_of_what_is_new(desk: Desk) -> None:
    desk.show(5)
    desk.happen(LOST)
    assert (desk.state.phase, desk.state.trouble) == (LoopPhase.RECONNECTING, "the cable was pulled")
    assert desk.banner == "Disconnected: the cable was pulled — trying again …"
    assert not desk.state.control.ready
    desk.happen(FIRST, m.SceneResumed(7, []))
    assert desk.pixels[-2:] == ["drop older than 10", "follow V1"]
    assert desk.banner == "Connected again; waiting for the picture …"
    assert (desk.state.phase, desk.state.trouble) == (LoopPhase.STREAMING, "")
    desk.show(9)
    assert desk.banner, "it came on the old connection"
    desk.epoch, desk.opened_s = 1, 11.0
    desk.show(6)
    assert desk.banner, "it is older than the scene"
    desk.show(7)
    assert desk.banner is None
    assert desk.said == []
    assert desk.renewals == 0
    counts = desk.metrics.counts()
    assert (counts["connections_lost"], counts["reconnects"]) == (1, 1)


def test_a_picture_may_come_before_the_scene(desk: Desk) -> None:
    desk.happen(LOST, FIRST)
    desk.epoch, desk.opened_s = 1, 11.0
    desk.show(7)
    assert desk.banner
    desk.happen(m.SceneResumed(7, []))
    assert desk.banner is None


def test_attempts_that_fail_are_one_loss(desk: Desk) -> None:
    desk.happen(LOST, LOST, FIRST, LOST, FIRST, m.SceneResumed(7, []))
    assert desk.state.phase is LoopPhase.STREAMING
    assert desk.metrics.counts()["connections_lost"] == 2, "the second one was open in between"


def test_a_server_that_forgot_the_viewer_is_told_of_if_something_was_dropped(desk: Desk) -> None:
    desk.happen(LOST, m.Welcome(1, "S1", "V2", "server", 2.0, "other", 0), SNAPSHOT)
    assert desk.pixels[-1] == "follow V2"
    assert desk.said == ["The connection was away for too long; actions that may be lost: 1"]
    assert desk.renewals == 1, "its intents are numbered from the start again"
    assert desk.state.control.known("camera") == {"zoom": 2}


def test_another_session_begins_anew(desk: Desk) -> None:
    desk.state.shown.revision, desk.epoch = 5, 3
    desk.happen(LOST, m.Welcome(1, "S2", "V2", "server", 2.0, "other", 0), SNAPSHOT)
    assert desk.said == [
        "The server was started anew: this is another session; changes made meanwhile that are not in it: 2"
    ]
    assert desk.renewals == 1
    assert (desk.state.shown.revision, desk.state.shown.past_epoch) == (0, 3)
    assert desk.state.control.known("camera") == {"zoom": 1}


def test_an_end_is_for_good(desk: Desk) -> None:
    desk.happen(ConnectionLost("wrong token", 10.0, final=True))
    assert (desk.state.phase, desk.state.ended) == (LoopPhase.STOPPED, "wrong token")
    assert desk.said == ["Disconnected: wrong token"]
    assert desk.pixels[-1] == "close"
    desk.happen(FIRST, SNAPSHOT, LOST)
    assert desk.state.phase is LoopPhase.STOPPED


def test_lost_pixels_are_lost_pictures_only(desk: Desk) -> None:
    desk.link.pixels_lost(ConnectionLost("the socket was closed", 10.0, final=False))
    assert desk.banner == "No new pictures: the socket was closed — trying again …"
    assert desk.state.phase is LoopPhase.STREAMING
    desk.epoch, desk.opened_s = 1, 11.0
    desk.show(5)
    assert desk.banner is None


def test_a_receiver_that_failed_ends_the_session(desk: Desk) -> None:
    desk.link.pixels_lost(ConnectionLost("ValueError: oops", 10.0, final=True))
    assert desk.state.phase is LoopPhase.STOPPED
    assert desk.banner is not None
    assert desk.banner.startswith("Disconnected: no more pictures can be received: ValueError: oops — the Remote menu")
    desk.link.pixels_lost(ConnectionLost("ValueError: oops", 11.0, final=True))
    assert len(desk.said) == 1


def test_both_sockets_are_asked_to_close_before_either_is_waited_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for doing in ("say_goodbye", "request_close", "stop"):
        owner = StateChannel if doing == "say_goodbye" else StateController
        monkeypatch.setattr(owner, doing, lambda *_, doing=doing: desk.pixels.append(f"state: {doing}") or True)
    desk.pixels.clear()
    assert desk.link.stop(Deadline(5))
    assert desk.pixels == ["state: say_goodbye", "state: request_close", "close", "join", "state: stop"]


def test_who_leaves_says_goodbye_and_needs_no_word(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for doing in ("leave", "reopen"):
        monkeypatch.setattr(StateController, doing, lambda *_, doing=doing: desk.pixels.append(f"state: {doing}"))
    phases: list[tuple[LoopPhase, str]] = []
    desk.state.on_phase = lambda: phases.append((desk.state.phase, desk.state.ended or desk.state.trouble))
    desk.link.reconnect()
    desk.happen(LOST)
    desk.link.leave()
    assert desk.pixels[2:] == ["state: reopen", "drop older than 10", "state: leave", "close"]
    assert phases == [(LoopPhase.RECONNECTING, "the cable was pulled"), (LoopPhase.STOPPED, "you left the session")]
    assert desk.banner == "Disconnected: you left the session — the Remote menu connects again"
    assert desk.said == []
    desk.pixels.clear()
    desk.link.reconnect()
    desk.link.leave()
    assert desk.pixels == []


def test_answers_reach_who_asked(desk: Desk) -> None:
    answers: list[m.LogLines] = []
    desk.link.on_log = answers.append
    desk.happen(m.LogLines(1, ["a line"]))
    assert answers == [m.LogLines(1, ["a line"])]
    assert desk.link.welcome is FIRST


def test_a_scene_is_there_when_its_last_layer_is_and_the_window_gets_a_turn_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module.time, "perf_counter", lambda: desk.now_s)
    desk.happen(LOST, FIRST)
    desk.layers_missing = 5
    desk.layers_before.clear()
    desk.happen(SNAPSHOT)
    assert desk.layers_before[:3] == [(missing, LoopPhase.SYNCING) for missing in (5, 3, 1)]
    assert desk.state.phase is LoopPhase.STREAMING
    assert not desk.busy


def test_layers_that_come_later_are_no_new_scene(desk: Desk) -> None:
    desk.happen(LOST, FIRST, SNAPSHOT)
    desk.banner = "as it was"
    desk.layers_missing = 3
    desk.happen(m.SceneUpdate(6))
    assert not desk.busy
    assert desk.banner == "as it was"


def asked_for_snapshots(desk: Desk) -> int:
    return sum(isinstance(intent, m.Command) and intent.name == "scene.snapshot" for intent in desk.sent)


def test_a_message_that_cannot_be_shown_is_mended_by_a_snapshot_and_that_not_all_the_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr(link_module.time, "perf_counter", lambda: now_s)
    zoomed = m.CameraUpdate(6, {"zoom": 2})
    desk.broken = True
    desk.happen(zoomed)
    assert desk.said == ["CameraUpdate could not be shown: index 3 is out of bounds"]
    assert asked_for_snapshots(desk) == 1
    # One that cannot be shown either would not be better the next time.
    desk.happen(SNAPSHOT)
    assert asked_for_snapshots(desk) == 1
    desk.happen(zoomed)
    desk.broken = False
    desk.happen(zoomed)
    assert asked_for_snapshots(desk) == 1
    now_s += link_module.HEAL_EVERY_S
    desk.happen(zoomed)
    desk.happen(SNAPSHOT)
    now_s += link_module.HEAL_EVERY_S
    desk.happen(zoomed)
    assert asked_for_snapshots(desk) == 2


def test_what_could_not_be_mended_at_once_is_when_it_is_time_though_the_server_says_no_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr(link_module.time, "perf_counter", lambda: now_s)
    desk.broken = True
    desk.happen(m.CameraUpdate(6, {"zoom": 2}), SNAPSHOT)
    desk.happen(m.CameraUpdate(7, {"zoom": 3}), m.CameraUpdate(8, {"zoom": 4}))
    assert asked_for_snapshots(desk) == 1
    [(now_s, call)] = desk.later
    assert now_s == 100.0 + link_module.HEAL_EVERY_S
    call()
    assert asked_for_snapshots(desk) == 2


def test_what_fails_to_hear_of_a_message_loses_nothing_that_follows(desk: Desk) -> None:
    def fail(_event: object) -> None:
        raise KeyError("download")

    desk.link.on_shown = desk.link.on_job = fail
    desk.happen(LOST, FIRST, m.JobUpdate("J1", 1, "saving"), SNAPSHOT)
    assert desk.state.phase is LoopPhase.STREAMING
    assert "JobUpdate could not be shown: 'download'" in desk.said


class States:
    """Stands for the StateController of another session: nothing is sent."""

    def __init__(self, config: ClientConfig, channel: StateChannel) -> None:
        self.config, self.channel = config, channel
        self.started = False

    def start(self) -> None:
        self.started = True


def test_after_the_end_another_session_begins_in_the_same_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    control, left = desk.state.control, desk.link._states.channel
    with pytest.raises(RuntimeError, match="leave the session"):
        desk.link.connect(ClientConfig("ws://other", "t"))
    lost: list[str] = []
    desk.link.on_renewed = lost.append
    desk.link.leave()
    assert lost == ["you left the session"], "what the server was doing for us is not heard of"
    control.set_local("camera", "zoom", 99)
    monkeypatch.setattr(link_module, "StateController", States)
    desk.link.connect(ClientConfig("ws://other", "t"))
    assert (desk.state.phase, desk.state.ended) == (LoopPhase.CONNECTING, "")
    assert desk.banner == "Connecting to http://other/ …"
    assert desk.link._states.started
    left._events.happened(ConnectionLost("the one that was left", 11.0, final=True))
    assert desk.state.phase is LoopPhase.CONNECTING, "the old session has no say any more"
    desk.pixels.clear()
    desk.sent.clear()
    desk.happen(m.Welcome(1, "S2", "V1", "server", 2.0, "secret", 0), SNAPSHOT)
    assert desk.state.phase is LoopPhase.STREAMING
    assert desk.pixels == ["made for V1", "start"]
    assert desk.sent == [], "what was set while there was no session concerns none"
    assert control.known("camera") == {"zoom": 1}
    desk.epoch, desk.opened_s = 1, 1e12
    desk.show(5)
    assert desk.banner is None


def test_who_may_only_look_reads_so_over_the_picture(desk: Desk) -> None:
    desk.happen(LOST, m.Welcome(1, "S1", "V2", "server", 2.0, "secret", 0, role="view"), SNAPSHOT)
    assert desk.state.role == "view"
    desk.epoch, desk.opened_s = 1, 1e12
    desk.show(5)
    assert desk.banner == "View only"
