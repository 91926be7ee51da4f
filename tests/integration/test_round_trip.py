"""Every row of the property table, there and back: real server, two real clients."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration.conftest import Connect, Serve
from napari_cuda import conversion
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.properties import TABLE
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.wire_types import ListOf, Number, Wire
from napari_cuda.server_process import ServerProcess
from raw_client import RawClient

WRITABLE = [row for row in TABLE if row.writable]
READ_ONLY = [row for row in TABLE if not row.writable]
QUIET_S = 0.3
"""So long both clients listen for an echo that must not come."""


def named(row: Property) -> str:
    return f"{row.scope}.{row.name}"


every_writable_row = pytest.mark.parametrize("row", WRITABLE, ids=named)


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("image and labels", size=(400, 300))


@pytest.fixture
def here(server: ServerProcess, connect: Connect) -> RemoteViewer:
    """The client that sets."""
    return connect(server)


@pytest.fixture
def there(here: RemoteViewer, server: ServerProcess, connect: Connect) -> RemoteViewer:
    """The client that sees, because the server told it."""
    return connect(server)


@pytest.fixture(autouse=True)
def scene_as_before(server: ServerProcess) -> Iterator[None]:
    """Give every test the same scene: what one has set is set back."""
    with RawClient(server) as before:
        pass
    yield
    with RawClient(server) as after:
        for known, state in zip(before.snapshot.layers, after.snapshot.layers, strict=True):
            changed = {name: value for name, value in known.values.items() if state.values[name] != value}
            assert not after.refusals(m.LayerIntent(after.next_intent(), known.spec.layer, changed))
        writable = {(row.scope, row.name) for row in WRITABLE}
        for scope, intent in ((Scope.SCENE, m.SceneIntent), (Scope.VIEW, m.ViewIntent), (Scope.DIMS, m.DimsIntent)):
            values = {k: v for k, v in getattr(before.snapshot, scope).items() if (scope, k) in writable}
            assert not after.refusals(intent(after.next_intent(), values))
        assert not after.refusals(m.CameraIntent(after.next_intent(), before.snapshot.camera))


def root_of(viewer: RemoteViewer, row: Property) -> Any:
    """Return the napari object that has the property."""
    if row.scope is Scope.DIMS:
        return viewer.dims
    if row.scope is Scope.CAMERA:
        return viewer.scene.camera
    if row.scope in (Scope.VIEW, Scope.SCENE):
        return viewer
    kind = "labels" if row.scope is Scope.LABELS else "image"
    return next(layer for layer in viewer.layers if layer.remote_kind == kind)


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
        viewer.layers.move(viewer.layers.index(ids(viewer)[value[-1]]), len(value))
    elif row.name == "selection":
        viewer.layers.selection = {ids(viewer)[layer] for layer in value}
    else:
        viewer.layers.selection.active = ids(viewer)[value]


def intents(viewer: RemoteViewer) -> int:
    return viewer.metrics.counts().get("intents_sent", 0)


def pump_until(viewer: RemoteViewer, done: Callable[[], bool]) -> bool:
    """Take in what comes until `done()`; False if it never is."""
    for _ in range(160):
        if done():
            return True
        viewer.pump(0.05)
    return False


def prepare(here: RemoteViewer, there: RemoteViewer, row: Property) -> None:
    """Make a change to each example a change: begin from neither, and with limits that allow both."""
    if row.scope is Scope.IMAGE and row.name.startswith("contrast_limits"):
        write(here, row, [5, 130])
    elif row.name in ("order", "selection", "active") and row.scope is Scope.SCENE:
        first = row.examples[0] if row.name == "active" else row.examples[0][0]
        other = next(layer for layer in ids(here) if layer != first)
        if row.name == "order":
            write(here, row, row.examples[1])
        else:
            here.layers.selection = {ids(here)[other]}
    elif read(here, row) == row.examples[0]:
        write(here, row, row.examples[1])
    here.sync()
    assert pump_until(there, lambda: read(there, row) == read(here, row))
    assert read(here, row) != row.examples[0]


@every_writable_row
def test_set_here_is_seen_there(here: RemoteViewer, there: RemoteViewer, row: Property) -> None:
    prepare(here, there, row)
    for value in row.examples:
        sent_here, sent_there = intents(here), intents(there)
        write(here, row, value)
        here.sync()
        assert intents(here) == sent_here + 1, "one change, one intent"
        # After the ack nothing is pending: what the client knows now is the server's echo.
        assert known(here, row) == value
        assert read(here, row) == value
        assert pump_until(there, lambda value=value: read(there, row) == value), f"there: {read(there, row)}"
        revision = here.revision
        here.pump(QUIET_S)
        there.pump(0.05)  # what came to it meanwhile
        assert (intents(here), intents(there)) == (sent_here + 1, sent_there), "an echo was sent back"
        assert here.sync() == there.sync() == revision, "the scene changed once more"


def known(viewer: RemoteViewer, row: Property) -> Wire:
    """Return what the server last said, if nothing is pending."""
    target = {Scope.LAYER: "", Scope.IMAGE: "", Scope.LABELS: ""}.get(row.scope, row.scope)
    if not target:
        target = f"layer:{root_of(viewer, row).remote_id}"
    return viewer._session.loop.state.control.known(target)[row.name]


@every_writable_row
def test_set_on_the_server_is_shown_here(here: RemoteViewer, server: ServerProcess, row: Property) -> None:
    with RawClient(server) as raw:
        values = [row.examples[1], *row.examples]
        for value in values:
            assert not raw.refusals(intent_of(raw, here, row, value))
            assert pump_until(here, lambda value=value: read(here, row) == value), f"here: {read(here, row)}"
        here.pump(QUIET_S)
    assert intents(here) == 0, "showing what the server said is no intent"
    assert read(here, row) == row.examples[1]


def intent_of(raw: RawClient, viewer: RemoteViewer, row: Property, value: Wire) -> m.Intent:
    """Return the intent that sets a row, whatever the value."""
    number, values = raw.next_intent(), {row.name: value}
    makers: dict[Scope, Callable[[int, m.Values], m.Intent]] = {
        Scope.SCENE: m.SceneIntent,
        Scope.DIMS: m.DimsIntent,
        Scope.CAMERA: m.CameraIntent,
        Scope.VIEW: m.ViewIntent,
    }
    if row.scope in makers:
        return makers[row.scope](number, values)
    return m.LayerIntent(number, root_of(viewer, row).remote_id, values)


def wrong_values(row: Property) -> list[Wire]:
    """Return values of a wrong type, and out of range where there is one."""
    wrong: list[Wire] = [{"no": "such value"}, None] if row.name != "active" else [{"no": "such value"}, "L99"]
    wire = row.wire.item if isinstance(row.wire, ListOf) and isinstance(row.wire.item, Number) else row.wire
    if isinstance(wire, Number):
        outside = [limit for limit in (wire.low - 1, wire.high + 1) if abs(limit) != float("inf")]
        as_row = functools.partial(_repeated, row) if isinstance(row.wire, ListOf) else lambda value: value
        wrong += [as_row(value) for value in outside]
    return wrong


def _repeated(row: Property, value: float) -> list[float]:
    return [value] * (row.wire.count or len(row.examples[0]))


@every_writable_row
def test_a_wrong_value_is_refused_with_a_reason(here: RemoteViewer, server: ServerProcess, row: Property) -> None:
    before, revision = read(here, row), here.sync()
    with RawClient(server) as raw:
        for value in wrong_values(row):
            reasons = raw.refusals(intent_of(raw, here, row, value))
            assert set(reasons) == {row.name}
            assert "\n" not in reasons[row.name]
            assert str(row.scope) in reasons[row.name] or "layer" in reasons[row.name], reasons
    here.pump(QUIET_S)
    assert read(here, row) == before
    assert here.sync() == revision


@pytest.mark.parametrize("row", READ_ONLY, ids=named)
def test_what_only_the_server_sets_is_refused(here: RemoteViewer, server: ServerProcess, row: Property) -> None:
    before = read(here, row)
    with RawClient(server) as raw:
        for value in row.examples:
            reasons = raw.refusals(intent_of(raw, here, row, value))
            assert reasons == {row.name: f"{row.scope}.{row.name} can only be changed by the server"}
    here.sync()
    assert read(here, row) == before


def test_what_only_the_server_sets_is_shown_here(serve_scene: Serve, connect: Connect) -> None:
    server = serve_scene("every kind", size=(320, 240))
    here, there = connect(server), connect(server)
    assert here.dims.ndim == 4
    nsteps = here.dims.nsteps
    there.layers.remove("some points")  # the only layer of four dimensions
    there.sync()
    for row in READ_ONLY:
        assert pump_until(here, lambda row=row: read(here, row) == known(there, row))
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
    layer: Any = here.layers[0]
    before = getattr(layer, attribute)
    with caplog.at_level(logging.WARNING, logger="napari_cuda"):
        setattr(layer, attribute, value)
        assert getattr(layer, attribute) == value, "shown at once"
        here.sync()
    assert getattr(layer, attribute) == before
    assert [words in record.getMessage() for record in caplog.records] == [True]
