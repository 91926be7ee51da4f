"""Every row of the property table, there and back: real server, two real clients."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

import napari_cuda
from integration.conftest import Connect, Serve
from napari_cuda import conversion
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.properties import TABLE
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.wire_types import ListOf, Number, OrNull, Wire
from napari_cuda.server_process import ServerProcess
from raw_client import RawClient

WRITABLE = [row for row in TABLE if row.writable]
READ_ONLY = [row for row in TABLE if not row.writable]
LAYER_SCOPES = [scope for scope in Scope if scope.startswith(Scope.LAYER)]
WITHIN_S = 20.0
"""How long anything may take to arrive. Nothing is waited for that must *not* come: see `settled`."""


def named(row: Property) -> str:
    return f"{row.scope}.{row.name}"


every_writable_row = pytest.mark.parametrize("row", WRITABLE, ids=named)


@dataclass
class Session:
    """A server, a client that sets, another that is shown it, and one that says what it wants."""

    server: ServerProcess
    here: RemoteViewer
    there: RemoteViewer
    raw: RawClient
    before: dict[str, m.Values]
    """What everything was at first, by target."""


@pytest.fixture(scope="module")
def session(serve_scene: Serve) -> Iterator[Session]:
    """One session for all rows: connecting takes longer than setting."""
    server = serve_scene("properties", size=(64, 48))
    with ExitStack() as clients:
        here, there = (
            clients.enter_context(napari_cuda.connect(server.connect_url, window=False, timeout_s=60)) for _ in range(2)
        )
        raw = clients.enter_context(RawClient(server))
        here.sync()
        there.sync()
        yield Session(server, here, there, raw, {target: dict(known(here, target)) for target in targets(here)})


@pytest.fixture
def here(session: Session) -> RemoteViewer:
    return session.here


@pytest.fixture
def raw(session: Session) -> RawClient:
    return session.raw


@pytest.fixture(autouse=True)
def scene_as_before(session: Session) -> Iterator[None]:
    """Give every test the same scene: what one has set is set back."""
    settled(session)
    yield
    writable = {(row.scope, row.name) for row in WRITABLE}
    settled(session)
    for target, before in session.before.items():
        now = known(session.here, target)
        scopes = LAYER_SCOPES if target.startswith("layer:") else [Scope(target)]
        changed = {
            name: value
            for name, value in before.items()
            if now[name] != value and any((scope, name) in writable for scope in scopes)
        }
        if changed:
            refused = session.raw.refusals(intent_to(target, session.raw.next_intent(), changed))
            assert not refused, f"{target} cannot be set back: {refused}"


def targets(viewer: RemoteViewer) -> list[str]:
    return [f"layer:{layer.remote_id}" for layer in viewer.layers] + ["view", "dims", "camera", "scene"]


def target_of(viewer: RemoteViewer, row: Property) -> str:
    return f"layer:{root_of(viewer, row).remote_id}" if row.scope in LAYER_SCOPES else str(row.scope)


def root_of(viewer: RemoteViewer, row: Property) -> Any:
    """Return the object that has the property."""
    if row.scope in LAYER_SCOPES:
        kind = row.scope.removeprefix("layer").removeprefix(":") or "image"
        return next(layer for layer in viewer.layers if layer.remote_kind == kind)
    return {Scope.DIMS: viewer.dims, Scope.CAMERA: viewer.scene.camera, Scope.VIEW: viewer._session.mirror.view}[
        row.scope
    ]


def ids(viewer: RemoteViewer) -> dict[str, Any]:
    return {layer.remote_id: layer for layer in viewer.layers}


def read(viewer: RemoteViewer, row: Property) -> Wire:
    """Return what a viewer's model shows, as a wire value."""
    if row.scope is not Scope.SCENE:
        return conversion.read(root_of(viewer, row), row)
    selection = viewer.layers.selection
    return {
        "order": [layer.remote_id for layer in viewer.layers],
        "selection": sorted(layer.remote_id for layer in selection),
        "active": getattr(selection.active, "remote_id", None),
    }[row.name]


def write(viewer: RemoteViewer, row: Property, value: Wire) -> None:
    """Set a property as a script of the user does."""
    if row.scope is not Scope.SCENE:
        conversion.write(root_of(viewer, row), row, value)
    elif row.name == "order":
        viewer.layers.move(viewer.layers.index(ids(viewer)[value[0]]), 0)
    elif row.name == "selection":
        viewer.layers.selection = {ids(viewer)[layer] for layer in value}
    else:
        viewer.layers.selection.active = ids(viewer)[value]


def examples_of(session: Session, row: Property) -> list[Wire]:
    """Return the row's examples; an order names all layers of the scene."""
    if row.scope is not Scope.SCENE or row.name != "order":
        return list(row.examples)
    every = list(session.before["scene"]["order"])
    return [[*example, *(layer for layer in every if layer not in example)] for example in row.examples]


def intents(viewer: RemoteViewer) -> int:
    return viewer.metrics.counts().get("intents_sent", 0)


def known(viewer: RemoteViewer, target: str) -> m.Values:
    """Return what the server last said, if nothing is pending."""
    return viewer._session.loop.state.control.known(target)


def wait_for(viewer: RemoteViewer, done: Callable[[], bool], what: Callable[[], object]) -> None:
    """Take in what comes until `done()`."""
    assert viewer._session._host.wait_until(done, WITHIN_S), what()


def acked(viewer: RemoteViewer) -> None:
    """Wait until all that the viewer set is acknowledged."""
    viewer._session.mirror.flush()
    control = viewer._session.loop.state.control
    wait_for(viewer, lambda: control.settled_revision is not None, lambda: "no ack")


def settled(session: Session) -> int:
    """Return the scene's revision, once the server and both clients are done with all that happened.

    A script's client sends at once, so an echo is sent while a message is taken in: once both clients have
    taken in all up to the revision of an intent that comes last, each has sent whatever it ever will.
    """
    raw, clients = session.raw, (session.here, session.there)
    for viewer in clients:
        acked(viewer)
    number = raw.next_intent()
    raw.send(m.SceneIntent(number, {"order": known(session.here, "scene")["order"]}))
    while (ack := raw.wait_for(m.Ack)).intent < number:
        pass
    for viewer in clients:
        control = viewer._session.loop.state.control
        wait_for(viewer, lambda c=control: c.revision >= ack.revision, lambda: f"revision {ack.revision}")
    return ack.revision


def prepare(session: Session, row: Property) -> None:
    """Make a change to each example a change: begin from neither, and with limits that allow both."""
    here, first = session.here, examples_of(session, row)[0]
    if row.name.startswith("contrast_limits"):
        write(here, row, [5, 130])
    elif row.scope is Scope.SCENE and row.name != "order":
        here.layers.selection = {ids(here)["L3"]}
    elif read(here, row) == first:
        write(here, row, examples_of(session, row)[1])
    settled(session)
    assert read(here, row) == read(session.there, row) != first


@every_writable_row
def test_set_here_is_seen_there(session: Session, row: Property) -> None:
    here, there = session.here, session.there
    prepare(session, row)
    for value in examples_of(session, row):
        sent = intents(here), intents(there)
        write(here, row, value)
        acked(here)
        # After the ack nothing is pending: what the client knows now is the server's echo.
        assert known(here, target_of(here, row))[row.name] == value
        revision = here._session.loop.state.control.revision
        assert settled(session) == revision, "the scene changed once more"
        assert read(here, row) == read(there, row) == value
        assert (intents(here), intents(there)) == (sent[0] + 1, sent[1]), "one change, one intent, and no echo"


@every_writable_row
def test_set_on_the_server_is_shown_here(session: Session, row: Property) -> None:
    here, raw = session.here, session.raw
    first, second = examples_of(session, row)
    sent = intents(here), intents(session.there)
    for value in (second, first, second):
        assert not raw.refusals(intent_to(target_of(here, row), raw.next_intent(), {row.name: value}))
        wait_for(here, lambda value=value: read(here, row) == value, lambda: f"here: {read(here, row)}")
    settled(session)
    assert (intents(here), intents(session.there)) == sent, "showing what the server said is no intent"
    assert read(here, row) == read(session.there, row) == second


def intent_to(target: str, number: int, values: m.Values) -> m.Intent:
    """Return the intent that sets properties of a target, whatever the values."""
    if target.startswith("layer:"):
        return m.LayerIntent(number, target.removeprefix("layer:"), values)
    makers: dict[str, Callable[[int, m.Values], m.Intent]] = {
        "scene": m.SceneIntent,
        "dims": m.DimsIntent,
        "camera": m.CameraIntent,
        "view": m.ViewIntent,
    }
    return makers[target](number, values)


def wrong_values(row: Property) -> list[Wire]:
    """Return values of a wrong type, and out of range where there is one."""
    wrong: list[Wire] = [{"no": "such value"}, "L99" if row.name == "active" else None]
    wire = row.wire
    if isinstance(wire, OrNull):
        wrong, wire = wrong[:1], wire.item
    in_a_list = isinstance(wire, ListOf) and isinstance(wire.item, Number)
    wire = wire.item if in_a_list else wire
    if isinstance(wire, Number):
        outside = [limit for limit in (wire.low - 1, wire.high + 1) if abs(limit) != float("inf")]
        as_row = functools.partial(_repeated, row) if in_a_list else lambda value: value
        wrong += [as_row(value) for value in outside]
    return wrong


def _repeated(row: Property, value: float) -> list[float]:
    return [value] * len(row.examples[0])


@every_writable_row
def test_a_wrong_value_is_refused_with_a_reason(session: Session, row: Property) -> None:
    here, raw = session.here, session.raw
    before, revision = read(here, row), settled(session)
    for value in wrong_values(row):
        reasons = raw.refusals(intent_to(target_of(here, row), raw.next_intent(), {row.name: value}))
        assert set(reasons) == {row.name}, value
        assert "\n" not in reasons[row.name]
        assert str(row.scope) in reasons[row.name] or "layer" in reasons[row.name], reasons
    assert settled(session) == revision
    assert read(here, row) == before


@pytest.mark.parametrize("row", READ_ONLY, ids=named)
def test_what_only_the_server_sets_is_refused(session: Session, row: Property) -> None:
    here, raw = session.here, session.raw
    before = known(here, target_of(here, row))[row.name]
    for value in row.examples:
        reasons = raw.refusals(intent_to(target_of(here, row), raw.next_intent(), {row.name: value}))
        assert reasons == {row.name: f"{row.scope}.{row.name} can only be changed by the server"}
    settled(session)
    assert known(here, target_of(here, row))[row.name] == before


def test_what_only_the_server_sets_is_shown_here(serve_scene: Serve, connect: Connect) -> None:
    server = serve_scene("every kind", size=(320, 240))
    here, there = connect(server), connect(server)
    assert here.dims.ndim == 4
    nsteps = here.dims.nsteps
    there.layers.remove("some points")  # the only layer of four dimensions
    there.sync()
    for row in READ_ONLY:
        if row.scope is Scope.DIMS:
            told = known(there, "dims")[row.name]
            wait_for(here, lambda row=row, told=told: read(here, row) == told, lambda row=row: read(here, row))
    assert here.dims.ndim == 3
    assert here.dims.nsteps != nsteps
    assert intents(here) == 0


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [("gamma", 1e6, "number in [0.01, 100]"), ("attenuation", 1e6, "number in [0, 100]")],
)
def test_a_refused_value_goes_back_and_says_why(
    here: RemoteViewer, attribute: str, value: float, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    layer: Any = here.layers["image"]
    before = getattr(layer, attribute)
    with caplog.at_level(logging.WARNING, logger="napari_cuda"):
        setattr(layer, attribute, value)
        assert getattr(layer, attribute) == value, "shown at once"
        here.sync()
    assert getattr(layer, attribute) == before
    assert [words in record.getMessage() for record in caplog.records] == [True]
