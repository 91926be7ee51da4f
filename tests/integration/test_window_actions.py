"""What a user does in the window besides setting values: play, reorder, rename, delete, add, be refused."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari._app_model.constants import MenuId
from napari._qt._qapp_model import build_qmodel_menu
from napari.layers import Image, Labels, Points, Shapes, Surface, Tracks, Vectors
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from integration.conftest import Connect, Serve, connected_window
from integration.test_window import pump_until, qt, row_index
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.client.playout.presenter import PlayoutMode
from napari_cuda.client.qt.null_visuals import NullVispyLayer
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.server_process import ServerProcess

KINDS = {
    "an image": Image,
    "some labels": Labels,
    "some points": Points,
    "some shapes": Shapes,
    "a surface": Surface,
    "some tracks": Tracks,
    "some vectors": Vectors,
}


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("every kind", size=(400, 300))


@pytest.fixture(scope="module")
def window(server: ServerProcess) -> Iterator[StreamedViewer]:
    with connected_window(server) as viewer:
        yield viewer


@pytest.fixture
def there(window: StreamedViewer, server: ServerProcess, connect: Connect) -> RemoteViewer:
    return connect(server)


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_all_seven_types_are_mirrored(window: StreamedViewer, there: RemoteViewer) -> None:
    for viewer in (window, there):
        assert names(viewer) == list(KINDS)
        assert all(isinstance(viewer.layers[name], kind) for name, kind in KINDS.items())
        assert viewer.dims.ndim == 4
    for layer in window.layers:
        other = there.layers[layer.name]
        assert np.array_equal(layer.extent.world, other.extent.world)
        there.pump(0.1)
        assert pump_until(window, lambda a=layer, b=other: np.array_equal(a.thumbnail, b.thumbnail)), layer.name
    assert np.any(window.layers["an image"].thumbnail[..., :3])
    shared = window.exact_screenshot()
    there.sync()
    assert np.array_equal(there.screenshot(), shared)
    assert len(np.unique(shared.reshape(-1, 4), axis=0)) > 20


def test_every_type_can_be_hidden_and_seen(window: StreamedViewer, there: RemoteViewer) -> None:
    whole = window.exact_screenshot()
    for name in KINDS:
        window.layers[name].visible = False
    window.sync(30)
    assert pump_until(there, lambda: not any(layer.visible for layer in there.layers))
    empty = window.exact_screenshot()
    assert len(np.unique(empty.reshape(-1, 4), axis=0)) == 1
    for name in KINDS:
        window.layers[name].visible = True
        assert not np.array_equal(window.exact_screenshot(), empty), f"{name} is not drawn"
        window.layers[name].visible = False
    for name in KINDS:
        window.layers[name].visible = True
    assert np.array_equal(window.exact_screenshot(), whole)


def test_figures_and_screenshots_of_another_size_are_exact(window: StreamedViewer, rng: np.random.Generator) -> None:
    for layer in window.layers:
        layer.visible = False
    pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    noise = window.add_image(pixels, name="noise")
    window.sync(30)
    size, camera = qt(window).canvas.size, (window.scene.camera.center, window.scene.camera.zoom)
    assert np.array_equal(window.export_figure(flash=False)[..., :3], pixels)
    threefold = pixels.repeat(3, axis=0).repeat(3, axis=1)
    assert np.array_equal(window.export_figure(scale_factor=3, flash=False)[..., :3], threefold)
    corners = np.array([[10, 20], [10, 40], [26, 40], [26, 20]])
    (found,) = window.export_rois([corners], scale=3)
    assert found.shape[:2] == (48, 60)
    window.pump(0.3)
    window.sync(30)
    assert qt(window).canvas.size == size
    assert (window.scene.camera.center, window.scene.camera.zoom) == camera
    twice = window.screenshot(scale=2, flash=False)
    plain = window.screenshot(flash=False)
    assert twice.shape[:2] == (2 * plain.shape[0], 2 * plain.shape[1])
    assert np.array_equal(window.exact_screenshot(), plain)
    colors = {tuple(color) for color in np.unique(pixels.reshape(-1, 3), axis=0).tolist()} | {(0, 0, 0)}
    assert {tuple(color) for color in np.unique(twice[..., :3].reshape(-1, 3), axis=0).tolist()} <= colors, "a video's"
    assert (twice[..., :3] == 0).all(axis=-1).mean() > (plain[..., :3] == 0).all(axis=-1).mean(), "it shows more around"
    window.layers.remove(noise)
    for layer in window.layers:
        layer.visible = True
    window.sync(30)


def test_play_advances_in_order_and_stops(window: StreamedViewer, there: RemoteViewer) -> None:
    axis, nsteps = 1, 8
    slider = qt(window).dims.slider_widgets[axis]
    slider.fps = 5
    assert window.dims.nsteps[axis] == nsteps
    window.dims.set_current_step(axis, 0)
    window.sync(30)
    there.sync()
    steps, steps_there = [0], [0]
    window.dims.events.current_step.connect(lambda event: steps.append(event.value[axis]))
    there.dims.events.current_step.connect(lambda event: steps_there.append(event.value[axis]))
    frames = window.metrics.counts()["frames_shown"]
    presenter, modes = window._session.loop.presenter, set[PlayoutMode]()

    def played_once() -> bool:
        there.pump()  # else what it does not look at merges
        modes.add(presenter.mode)
        return len(steps) > nsteps + 2

    click(slider.play_button)
    assert pump_until(window, lambda: slider.play_button.property("playing") == "True")
    assert pump_until(window, played_once)
    assert PlayoutMode.FIXED in modes, "playback is to be even"
    click(slider.play_button)
    assert pump_until(window, lambda: slider.play_button.property("playing") == "False")
    window.sync(30)
    last, played = window.dims.current_step[axis], len(steps)
    window.pump(1.0)
    assert len(steps) == played, "it went on after the stop"
    assert window.metrics.counts()["frames_shown"] - frames >= played - 1, "a step that no picture showed"
    assert pump_until(there, lambda: there.dims.current_step[axis] == last)
    for seen in (steps, steps_there):
        # napari leaves out a step that comes before the last was drawn; but it never goes back.
        forward = [(b - a) % nsteps for a, b in itertools.pairwise(seen)]
        assert all(0 < step <= nsteps // 2 for step in forward), seen
    window.layers["an image"].opacity = 0.9
    assert presenter.mode is PlayoutMode.LATEST, "the hand waits for its picture"
    window.layers["an image"].opacity = 1.0
    window.sync(30)


def click(widget: Any) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def test_a_pump_without_time_runs_what_is_due_and_a_late_call_that_fails_ends_nothing(window: StreamedViewer) -> None:
    called: list[str] = []

    def fail() -> None:
        called.append("failed")
        raise ValueError("a slot that raises would abort Qt")

    host = window._session._host
    host.call_at(0.0, fail)
    host.call_at(0.0, lambda: called.append("went on"))
    for _ in range(3):  # a timer, and what it posts
        window.pump()
    assert called == ["failed", "went on"]


def test_rename_in_the_layer_list(window: StreamedViewer, there: RemoteViewer) -> None:
    model = qt(window).layers.model()
    row = names(window).index("a surface")
    model.setData(row_index(window, row), "a skin", Qt.ItemDataRole.EditRole)
    window.sync(30)
    assert pump_until(there, lambda: "a skin" in names(there))
    there.layers["a skin"].name = "a surface"
    there.sync()
    assert pump_until(window, lambda: model.data(row_index(window, row), Qt.ItemDataRole.DisplayRole) == "a surface")


def test_a_refused_name_goes_back_and_says_why(window: StreamedViewer, there: RemoteViewer) -> None:
    model = qt(window).layers.model()
    before = names(window)
    said = len(notification_manager.records)
    model.setData(row_index(window), "x" * 300, Qt.ItemDataRole.EditRole)
    window.sync(30)
    window.pump(0.2)
    assert names(window) == before
    assert model.data(row_index(window), Qt.ItemDataRole.DisplayRole) == before[0]
    words = [record.message for record in notification_manager.records[said:]]
    assert len(words) == 1
    assert words[0].startswith("layer.name: expected string (≤ 256), got 'xxx")
    there.sync()
    assert names(there) == before


def test_a_refused_value_moves_the_control_back(window: StreamedViewer) -> None:
    layer = window.layers["an image"]
    slider = qt(window).controls.widgets[layer]._gamma_slider_control.gamma_slider
    said = len(notification_manager.records)
    layer.gamma = 500.0
    window.sync(30)
    window.pump(0.2)
    assert layer.gamma == 1.0
    assert slider.value() == pytest.approx(1.0)
    words = [record.message for record in notification_manager.records[said:]]
    assert words == ["layer:image.gamma: expected number in [0.01, 100], got 500.0"]


def test_new_layers_by_the_buttons(window: StreamedViewer, there: RemoteViewer) -> None:
    buttons = qt(window).layerButtons
    window.layers.selection = {window.layers["an image"]}
    for button in (buttons.newPointsButton, buttons.newShapesButton, buttons.newLabelsButton):
        before = names(window)
        button.click()
        window.sync(30)
        assert pump_until(there, lambda: names(there) == names(window))
        (made,) = [layer for layer in window.layers if layer.name not in before]
        assert made.name.startswith("an image - ")
        assert window.layers.selection.active is made
        assert there.layers[made.name].extent.data.shape == made.extent.data.shape
        window.layers.selection = {window.layers["an image"]}
    shown = window.layers["an image - Labels"]
    assert isinstance(qt(window).canvas.layer_to_visual[window.layers["an image - Points"]], NullVispyLayer)
    assert shown.data.shape == window.layers["an image"].data.shape
    window.layers.selection = {layer for layer in window.layers if layer.name.startswith("an image - ")}
    QTest.keyClick(qt(window).layers, Qt.Key.Key_Delete)
    window.sync(30)
    assert names(window) == list(KINDS)
    assert pump_until(there, lambda: names(there) == list(KINDS))


def test_an_entry_of_the_layer_menu(window: StreamedViewer, there: RemoteViewer) -> None:
    window.layers.selection = {window.layers["an image"]}
    menu = build_qmodel_menu(MenuId.LAYERLIST_CONTEXT, parent=qt(window).layers)
    entry = next(entry for entry in menu.actions() if entry.text() == "Duplicate Layer")
    entry.trigger()
    window.sync(30)
    assert names(window) == ["an image", "an image copy", *list(KINDS)[1:]]
    assert pump_until(there, lambda: names(there) == names(window))
    copy = window.layers["an image copy"]
    assert isinstance(copy, RemoteLayer)
    window.layers.remove(copy)
    window.sync(30)
    assert pump_until(there, lambda: names(there) == list(KINDS))


def menu_entry(window: StreamedViewer, *path: str) -> Any:
    """Return an entry of the menu bar, by how the texts on the way to it begin."""
    entries = window.window.main_menu.actions()
    for number, text in enumerate(path):
        entry = next(entry for entry in entries if entry.text().replace("&", "").startswith(text))
        if number + 1 < len(path):
            entry.menu().aboutToShow.emit()
            entries = entry.menu().actions()
    return entry


def test_shapes_are_measured_on_the_server(window: StreamedViewer, there: RemoteViewer) -> None:
    layer = window.layers["some shapes"]
    window.layers.selection = {layer}
    features = list(there.layers["some shapes"].features)
    others = [other for other in window.layers if other is not layer]
    for other in others:
        other.visible = False
    plain = window.exact_screenshot()
    said = len(notification_manager.records)
    menu_entry(window, "Layers", "Measure", "Toggle shape dimensions").trigger()
    window.sync(30)
    assert pump_until(there, lambda: "_area" in there.layers["some shapes"].features)
    assert layer.text.string.format == "P = {_perimeter:.3g}\nA = {_area:.3g}"
    assert not np.array_equal(window.exact_screenshot(), plain), "the numbers stand beside the shapes"
    menu_entry(window, "Layers", "Measure", "Toggle shape dimensions").trigger()
    window.sync(30)
    assert pump_until(there, lambda: list(there.layers["some shapes"].features) == features)
    assert np.array_equal(window.exact_screenshot(), plain)
    assert [record.message for record in notification_manager.records[said:]] == []
    for other in others:
        other.visible = True
    window.sync(30)


def test_histogram_by_its_button(window: StreamedViewer) -> None:
    layer = window.layers["an image"]
    window.layers.selection = {layer}
    button = qt(window).controls.widgets[layer]._contrast_limits_control.histogram_button
    counted: list[float] = []
    layer.histogram.events.counts.connect(lambda: counted.append(layer.histogram.counts.sum()))
    button.click()
    assert pump_until(window, lambda: counted == [48 * 64])
    button.click()
    window.sync(30)
    assert not layer.histogram.enabled


def test_reorder_comes_back(window: StreamedViewer, there: RemoteViewer) -> None:
    before = names(window)
    window.layers.move(0, 3)
    window.sync(30)
    after = names(window)
    assert after == [*before[1:3], before[0], *before[3:]]
    assert pump_until(there, lambda: names(there) == after)
    there.layers.move(2, 0)
    there.sync()
    assert pump_until(window, lambda: names(window) == before)


def test_delete_by_the_button(window: StreamedViewer, there: RemoteViewer) -> None:
    for name in ("some tracks", "some points"):  # the second takes the fourth dimension with it
        window.layers.selection = {window.layers[name]}
        qt(window).layerButtons.deleteButton.click()
        window.sync(30)
        left = [other for other in names(window) if other != name]
        assert names(window) == left
        assert pump_until(there, lambda left=left: names(there) == left)
    assert pump_until(there, lambda: there.dims.ndim == 3)
    assert window.dims.ndim == 3
    assert len(qt(window).dims.slider_widgets) == 3
    there.sync()
    assert np.array_equal(window.exact_screenshot(), there.screenshot())
