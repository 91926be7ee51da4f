"""The real napari window on a real server: its controls show the server's values, and set them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from qtpy.QtCore import Qt

from integration.conftest import Connect, Serve, connected_window
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.properties import TABLE
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.wire_types import Wire
from napari_cuda.server_process import ServerProcess
from raw_client import RawClient

QUIET_S = 0.4


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("image and labels", size=(400, 300))


@pytest.fixture(scope="module")
def window(server: ServerProcess) -> Iterator[StreamedViewer]:
    """The window, connected, and the server's canvas as large as its own: with the first size it fits the zoom."""
    with connected_window(server) as viewer:
        known = viewer._session.loop.state.control.known
        assert pump_until(viewer, lambda: known(Scope.VIEW)["size"] == list(viewer.canvas.size))
        viewer.sync(30)
        yield viewer


@pytest.fixture
def there(window: StreamedViewer, server: ServerProcess, connect: Connect) -> RemoteViewer:
    """Another client, that sees what the server has."""
    return connect(server)


@pytest.fixture
def sent(window: StreamedViewer) -> Iterator[list[m.Intent]]:
    """What the window sends, but for its size: that follows the layout, as sliders come and go."""
    intents: list[m.Intent] = []
    link = window._session.loop.link
    send = link.send

    def note(posted: list[m.Intent]) -> None:
        intents.extend(one for one in posted if not (isinstance(one, m.ViewIntent) and set(one.values) == {"size"}))
        send(posted)

    link.send = note
    yield intents
    link.send = send


def pump_until(viewer: Any, done: Callable[[], bool]) -> bool:
    for _ in range(200):
        if done():
            return True
        viewer.pump(0.05)
    return False


# --- the controls ---------------------------------------------------------------------------


def qt(viewer: StreamedViewer) -> Any:
    return viewer.window._qt_viewer


def layer_of(viewer: Any, scope: Scope) -> Any:
    return viewer.layers[1 if scope is Scope.LABELS else 0]


def panel(viewer: StreamedViewer, scope: Scope) -> Any:
    return qt(viewer).controls.widgets[layer_of(viewer, scope)]


@dataclass(frozen=True)
class Control:
    """One control of the window: what it shows, and how a user operates it (None: it only shows)."""

    shows: Callable[[StreamedViewer], Any]
    operate: Callable[[StreamedViewer, Any], object] | None
    ndisplay: int = 2


def in_panel(scope: Scope, path: str, reads: str, writes: str, ndisplay: int = 2) -> Control:
    def widget(viewer: StreamedViewer) -> Any:
        found: Any = panel(viewer, scope)
        for name in path.split("."):
            found = getattr(found, name)
        return found

    return Control(
        lambda viewer: getattr(widget(viewer), reads)(),
        lambda viewer, value: getattr(widget(viewer), writes)(tuple(value) if isinstance(value, list) else value),
        ndisplay,
    )


def slider(scope: Scope, path: str, ndisplay: int = 2) -> Control:
    return in_panel(scope, path, "value", "setValue", ndisplay)


def check(scope: Scope, path: str) -> Control:
    return in_panel(scope, path, "isChecked", "setChecked")


def combo(scope: Scope, path: str, ndisplay: int = 2) -> Control:
    return in_panel(scope, path, "currentText", "setCurrentText", ndisplay)


def list_data(viewer: StreamedViewer, role: Qt.ItemDataRole) -> Any:
    model = qt(viewer).layers.model()
    return model.data(row_index(viewer), role)


def row_index(viewer: StreamedViewer, row: int = 0) -> Any:
    """Return the index of a layer in the layer list, which shows the topmost first."""
    model = qt(viewer).layers.model()
    return model.index(model.rowCount() - 1 - row, 0)


def list_edit(viewer: StreamedViewer, value: Any, role: Qt.ItemDataRole) -> None:
    qt(viewer).layers.model().setData(row_index(viewer), value, role)


def listed(viewer: StreamedViewer) -> list[str]:
    """Return the ids of the layers in the list, bottom first."""
    model = qt(viewer).layers.model()
    names = [model.data(row_index(viewer, row), Qt.ItemDataRole.DisplayRole) for row in range(model.rowCount())]
    return [viewer.layers[name].remote_id for name in names]


def selected(viewer: StreamedViewer) -> list[str]:
    rows = qt(viewer).layers.selectionModel().selectedIndexes()
    names = {index.data(Qt.ItemDataRole.DisplayRole) for index in rows}
    return sorted(viewer.layers[name].remote_id for name in names)


def click_row(viewer: StreamedViewer, ids: list[str]) -> None:
    model = qt(viewer).layers.selectionModel()
    row = next(number for number, layer in enumerate(viewer.layers) if layer.remote_id == ids[0])
    model.setCurrentIndex(row_index(viewer, row), model.SelectionFlag.ClearAndSelect)


def dims_slider(viewer: StreamedViewer) -> Any:
    return qt(viewer).dims.slider_widgets[0]


def toggle_ndisplay(viewer: StreamedViewer, value: int) -> None:
    button = qt(viewer).viewerButtons.ndisplayButton
    if button.isChecked() != (value == 3):
        button.click()


def toggle_grid(viewer: StreamedViewer, value: bool) -> None:
    button = qt(viewer).viewerButtons.gridViewButton
    if button.isChecked() != value:
        button.click()


IMAGE, LABELS, LAYER = Scope.IMAGE, Scope.LABELS, Scope.LAYER

CONTROLS: dict[tuple[Scope, str], Control] = {
    (LAYER, "name"): Control(
        lambda viewer: list_data(viewer, Qt.ItemDataRole.DisplayRole),
        lambda viewer, value: list_edit(viewer, value, Qt.ItemDataRole.EditRole),
    ),
    (LAYER, "visible"): Control(
        lambda viewer: Qt.CheckState(list_data(viewer, Qt.ItemDataRole.CheckStateRole)) == Qt.CheckState.Checked,
        lambda viewer, value: list_edit(
            viewer, Qt.CheckState.Checked if value else Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole
        ),
    ),
    (LAYER, "opacity"): slider(LAYER, "_opacity_blending_controls.opacity_slider"),
    (LAYER, "blending"): combo(LAYER, "_opacity_blending_controls.blend_combobox"),
    (IMAGE, "contrast_limits"): slider(IMAGE, "_contrast_limits_control.contrast_limits_slider"),
    (IMAGE, "contrast_limits_range"): Control(
        lambda viewer: [
            panel(viewer, IMAGE)._contrast_limits_control.contrast_limits_slider.minimum(),
            panel(viewer, IMAGE)._contrast_limits_control.contrast_limits_slider.maximum(),
        ],
        None,
    ),
    (IMAGE, "auto_contrast"): check(IMAGE, "_contrast_limits_control.auto_scale_buttons.auto_btn"),
    (IMAGE, "gamma"): slider(IMAGE, "_gamma_slider_control.gamma_slider"),
    (IMAGE, "colormap"): combo(IMAGE, "_colormap_control.colormap_combobox"),
    (IMAGE, "interpolation2d"): combo(IMAGE, "_interpolation_control.interpolation_combobox"),
    (IMAGE, "interpolation3d"): combo(IMAGE, "_interpolation_control.interpolation_combobox", 3),
    (IMAGE, "rendering"): combo(IMAGE, "_render_control.render_combobox", 3),
    (IMAGE, "iso_threshold"): slider(IMAGE, "_render_control.iso_threshold_slider", 3),
    (IMAGE, "attenuation"): slider(IMAGE, "_render_control.attenuation_slider", 3),
    (IMAGE, "depiction"): combo(IMAGE, "_depiction_control.depiction_combobox", 3),
    (IMAGE, "projection_mode"): combo(IMAGE, "_projection_mode_control.projection_combobox"),
    (LABELS, "selected_label"): slider(LABELS, "_label_control.selection_spinbox"),
    (LABELS, "show_selected_label"): check(LABELS, "_display_selected_label_checkbox_control.selected_color_checkbox"),
    (LABELS, "contour"): slider(LABELS, "_contour_spinbox_control.contour_spinbox"),
    (LABELS, "rendering"): combo(LABELS, "_render_control.render_combobox", 3),
    (LABELS, "iso_gradient_mode"): combo(LABELS, "_render_control.iso_gradient_combobox", 3),
    (LABELS, "brush_size"): Control(
        lambda viewer: panel(viewer, LABELS)._brush_size_slider_control.brush_size_slider.value(),
        lambda viewer, value: panel(viewer, LABELS)._brush_size_slider_control.brush_size_slider.setValue(int(value)),
    ),
    (LABELS, "contiguous"): check(LABELS, "_contiguous_checkbox_control.contiguous_checkbox"),
    (LABELS, "n_edit_dimensions"): slider(LABELS, "_ndim_spinbox_control.ndim_spinbox"),
    (LABELS, "preserve_labels"): check(LABELS, "_preserve_labels_checkbox_control.preserve_labels_checkbox"),
    (Scope.DIMS, "point"): Control(
        lambda viewer: [dims_slider(viewer).slider.value(), *viewer.dims.point[1:]],
        lambda viewer, value: dims_slider(viewer).slider.setValue(int(value[0])),
    ),
    (Scope.DIMS, "axis_labels"): Control(
        lambda viewer: [dims_slider(viewer).axis_label.text(), *viewer.dims.axis_labels[1:]], None
    ),
    (Scope.DIMS, "order"): Control(
        lambda viewer: list(viewer.dims.order),
        lambda viewer, value: qt(viewer).viewerButtons.transposeDimsButton.click(),
    ),
    (Scope.VIEW, "ndisplay"): Control(
        lambda viewer: 3 if qt(viewer).viewerButtons.ndisplayButton.isChecked() else 2, toggle_ndisplay
    ),
    (Scope.VIEW, "grid.enabled"): Control(
        lambda viewer: qt(viewer).viewerButtons.gridViewButton.isChecked(), toggle_grid
    ),
    (Scope.SCENE, "order"): Control(listed, lambda viewer, value: viewer.layers.move(0, 2)),
    (Scope.SCENE, "selection"): Control(selected, click_row),
    (Scope.SCENE, "active"): Control(
        lambda viewer: (
            viewer.layers[qt(viewer).layers.selectionModel().currentIndex().data(Qt.ItemDataRole.DisplayRole)].remote_id
        ),
        lambda viewer, value: click_row(viewer, [value]),
    ),
}
"""A control for every row of the table that napari has one for."""

WRITABLE = {(row.scope, row.name) for row in TABLE if row.writable}
NDISPLAY = next(row for row in TABLE if row.name == "ndisplay")
CONTROLLED = [row for row in TABLE if (row.scope, row.name) in CONTROLS]


def named(row: Property) -> str:
    return f"{row.scope}.{row.name}"


def test_the_controls_are_of_rows_of_the_table() -> None:
    # Whether each row of layers has its control: test_layer_controls.py.
    assert set(CONTROLS) <= {(row.scope, row.name) for row in TABLE}


@pytest.fixture(autouse=True)
def scene_as_before(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set back on the server what a test has set."""
    if "row" not in request.fixturenames:
        yield
        return
    server: ServerProcess = request.getfixturevalue("server")
    with RawClient(server) as before:
        pass
    yield
    with RawClient(server) as after:
        for scope, intent in ((Scope.SCENE, m.SceneIntent), (Scope.VIEW, m.ViewIntent), (Scope.DIMS, m.DimsIntent)):
            values = {
                k: v for k, v in getattr(before.snapshot, scope).items() if (scope, k) in WRITABLE and k != "size"
            }
            assert not after.refusals(intent(after.next_intent(), values))
        now = {state.spec.layer: state.values for state in after.snapshot.layers}
        for known in before.snapshot.layers:
            changed = {k: v for k, v in known.values.items() if now[known.spec.layer][k] != v}
            assert not after.refusals(m.LayerIntent(after.next_intent(), known.spec.layer, changed))


def same(shown: Any, value: Wire) -> bool:
    """Compare what a control shows with a wire value: text may be decorated, numbers rounded to its steps."""
    if isinstance(value, dict):
        value = value["name"]  # a colormap of one's own
    if isinstance(shown, dict):
        shown = shown["name"]
    if isinstance(value, str):
        return str(shown).lower().replace(" ", "_") == value.lower().replace(" ", "_")
    if isinstance(value, list):
        return len(shown) == len(value) and all(same(a, b) for a, b in zip(shown, value, strict=True))
    return bool(shown == pytest.approx(value, abs=1e-3))


def server_value(there: RemoteViewer, row: Property) -> Wire:
    target = row.scope if row.scope in (Scope.DIMS, Scope.VIEW, Scope.SCENE) else ""
    if not target:
        target = f"layer:{layer_of(there, row.scope).remote_id}"
    return there._session.loop.state.control.known(target)[row.name]


def set_on_server(raw: RawClient, there: RemoteViewer, row: Property, value: Wire) -> None:
    makers: dict[Scope, Callable[[int, m.Values], m.Intent]] = {
        Scope.SCENE: m.SceneIntent,
        Scope.DIMS: m.DimsIntent,
        Scope.VIEW: m.ViewIntent,
    }
    number, values = raw.next_intent(), {row.name: value}
    maker = makers.get(row.scope)
    intent = maker(number, values) if maker else m.LayerIntent(number, layer_of(there, row.scope).remote_id, values)
    assert raw.refusals(intent) == {}


@pytest.fixture
def control(window: StreamedViewer, there: RemoteViewer, server: ServerProcess, row: Property) -> Control:
    """The row's control, in the number of displayed dimensions in which napari shows it."""
    control = CONTROLS[row.scope, row.name]
    with RawClient(server) as raw:
        set_on_server(raw, there, NDISPLAY, control.ndisplay)
    assert pump_until(window, lambda: window.dims.ndisplay == control.ndisplay)
    window.sync(30)
    return control


@pytest.mark.parametrize("row", CONTROLLED, ids=named)
def test_the_control_shows_what_the_server_says(
    window: StreamedViewer,
    sent: list[m.Intent],
    there: RemoteViewer,
    server: ServerProcess,
    control: Control,
    row: Property,
) -> None:
    with RawClient(server) as raw:
        for value in (row.examples[1], *row.examples):
            set_on_server(raw, there, row, value)
            assert pump_until(window, lambda value=value: same(control.shows(window), value)), control.shows(window)
        window.pump(QUIET_S)
    assert same(control.shows(window), row.examples[1])
    assert sent == [], "the window told the server what the server had said"


@pytest.mark.parametrize(
    "row", [row for row in CONTROLLED if CONTROLS[row.scope, row.name].operate is not None], ids=named
)
def test_the_control_sets_the_server(
    window: StreamedViewer,
    sent: list[m.Intent],
    there: RemoteViewer,
    server: ServerProcess,
    control: Control,
    row: Property,
) -> None:
    assert control.operate is not None
    before, value = (row.examples[1], row.examples[0])
    if row.scope is Scope.DIMS and row.name == "order":
        before, value = [0, 1, 2], [0, 2, 1]  # what the transpose button does
    if row.name == "colormap":
        before, value = "viridis", "magma"  # the box offers napari's own
    with RawClient(server) as raw:
        set_on_server(raw, there, row, before)
    assert pump_until(window, lambda: same(control.shows(window), before))
    window.sync(30)
    window.pump(QUIET_S)
    assert sent == []
    control.operate(window, value)
    window.sync(30)
    window.pump(QUIET_S)
    assert len(sent) == 1, sent
    assert pump_until(there, lambda: same(server_value(there, row), value)), server_value(there, row)
    assert same(control.shows(window), value)
