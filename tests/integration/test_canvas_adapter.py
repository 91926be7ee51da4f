"""CanvasAdapter in a real napari window: napari keeps working, and pure video frames skip it."""

from __future__ import annotations

import weakref
from unittest.mock import patch

import napari
import numpy as np
import pytest
from napari.layers import Image, Labels, Layer, Points, Shapes, Surface, Tracks, Vectors
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication

from gl_window import Window, exact_frame, open_viewer, process_until
from napari_cuda.client.control.placement import OwnCanvas
from napari_cuda.client.qt.napari_adapter import CanvasAdapter
from napari_cuda.client.qt.null_visuals import NullVispyLayer, register_null_visuals
from napari_cuda.edge_on import survive_edge_on


def noise(window: Window, seed: int = 0) -> np.ndarray:
    """Return a picture of the canvas's size, (H, W, 3) uint8."""
    width, height = window.adapter.canvas_size_px
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def small_frames(count: int) -> list:
    return [exact_frame(np.full((16, 16, 3), value % 256, np.uint8)) for value in range(count)]


def native_canvas(window: Window):
    return window.viewer.window._qt_viewer.canvas.native


def send_wheel(window: Window, clicks: int) -> None:
    canvas = native_canvas(window)
    centre = QPointF(canvas.width() / 2, canvas.height() / 2)
    event = QWheelEvent(
        centre,
        QPointF(canvas.mapToGlobal(centre.toPoint())),
        QPoint(),
        QPoint(0, 120 * clicks),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas, event)


def send_mouse(window: Window, kind: QEvent.Type, position: tuple[float, float], *, held: bool) -> None:
    canvas = native_canvas(window)
    point = QPointF(*position)
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    buttons = Qt.MouseButton.LeftButton if held else Qt.MouseButton.NoButton
    where = QPointF(canvas.mapToGlobal(point.toPoint()))
    event = QMouseEvent(kind, point, where, button, buttons, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(canvas, event)


@pytest.fixture
def napari_draws(window: Window, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Collects the calls of napari's own on_draw."""
    calls: list[object] = []
    canvas = window.viewer.window._qt_viewer.canvas
    on_draw = canvas.on_draw

    def counted(event: object = None) -> None:
        calls.append(event)
        on_draw(event)

    monkeypatch.setattr(canvas, "on_draw", counted)
    return calls


def test_200_video_frames_skip_naparis_on_draw(window: Window, napari_draws: list[object]) -> None:
    window.settle()
    napari_draws.clear()
    uploads, skipped = window.renderer.uploads, window.adapter.napari_draws_skipped

    for frame in small_frames(200):
        assert window.next_frame(frame)

    assert window.renderer.uploads == uploads + 200
    assert window.adapter.napari_draws_skipped >= skipped + 200
    assert len(napari_draws) == 0

    window.viewer.scene.camera.zoom *= 1.5
    window.adapter.request_video_draw()
    assert process_until(lambda: len(napari_draws) > 0)


def test_wheel_and_drag_move_the_camera_while_the_video_plays(window: Window) -> None:
    camera = window.viewer.scene.camera
    frames = small_frames(400)
    zoom = camera.zoom
    send_wheel(window, 2)

    assert process_until(lambda: window.next_frame(frames.pop()) and camera.zoom > zoom * 1.05)

    centre = np.array(camera.center)
    send_mouse(window, QEvent.Type.MouseButtonPress, (300, 200), held=True)
    steps = iter(range(1, 300))

    def drag() -> bool:
        # vispy drops moves that follow each other within 10 ms.
        window.next_frame(frames.pop())
        send_mouse(window, QEvent.Type.MouseMove, (300 + min(next(steps), 100), 230), held=True)
        return abs(camera.center[2] - centre[2]) * camera.zoom > 20

    assert process_until(drag)
    send_mouse(window, QEvent.Type.MouseButtonRelease, (400, 230), held=False)


def test_napari_knows_the_new_camera_when_the_video_is_painted(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    window.settle()
    camera = window.viewer.scene.camera
    zoom = camera.zoom
    seen: list[float] = []
    paint = window.renderer.draw

    def spy(*arguments: object) -> bool:
        seen.append(camera.zoom)
        return paint(*arguments)

    monkeypatch.setattr(window.renderer, "draw", spy)
    send_wheel(window, 1)

    assert process_until(lambda: bool(seen))
    assert seen[0] > zoom


def test_picking_does_not_see_the_video(window: Window) -> None:
    window.show(exact_frame(noise(window)))
    painted = window.painted

    picked = window.viewer.window._qt_viewer.canvas._scene_canvas.visual_at((100, 100))

    assert window.painted == painted
    assert picked is window.viewer.window._qt_viewer.canvas.view


def test_overlays_are_drawn_on_top_of_the_video(window: Window) -> None:
    picture = noise(window, seed=1) // 4
    frame = exact_frame(picture)
    assert np.array_equal(window.show(frame), picture)

    window.viewer.canvas.overlays.scale_bar.visible = True
    shown = window.show(frame)

    changed = (shown != picture).any(axis=-1)
    rows, columns = np.nonzero(changed)
    height, width = changed.shape
    # napari puts it at the bottom right; everything else is still the video.
    assert 50 < changed.sum() < 0.05 * changed.size
    assert rows.min() > height * 0.7
    assert columns.min() > width * 0.4


def test_local_layers_are_drawn_over_the_video(window: Window) -> None:
    layer = window.viewer.add_image(np.full((20, 20), 255, np.uint8), contrast_limits=(0, 255), colormap="red")
    window.viewer.scene.camera.zoom = 4
    window.settle()
    # Only now: the layer's controls take some of the canvas.
    picture = noise(window, seed=2)
    shown = window.show(exact_frame(picture))

    red = (shown == (255, 0, 0)).all(axis=-1)
    assert abs(red.sum() - 80 * 80) < 400
    assert np.array_equal(shown[:50], picture[:50])
    layer.visible = False
    assert np.array_equal(window.show(exact_frame(picture)), picture)


def test_drawn_is_told_after_each_shown_frame_and_not_otherwise(window: Window) -> None:
    window.settle()
    drawn = window.drawn
    for frame in small_frames(5):
        assert window.next_frame(frame)
    assert window.drawn == drawn + 5

    # Another widget of the window is repainted: its buffers are swapped, the canvas was not drawn.
    window.viewer.window._qt_viewer.dockLayerList.repaint()
    QApplication.processEvents()
    assert window.drawn == drawn + 5


def test_resizing_is_told(window: Window) -> None:
    qt_window = window.viewer.window._qt_window
    size = qt_window.size()
    before = len(window.canvases)

    qt_window.resize(size.width() - 61, size.height() - 33)
    assert process_until(lambda: len(window.canvases) > before)
    window.settle()

    canvas = native_canvas(window)
    assert window.canvases[-1] == OwnCanvas((canvas.width(), canvas.height()), 1.0)
    assert window.adapter.canvas_size_px == (canvas.width(), canvas.height())
    picture = noise(window, seed=3)
    assert np.array_equal(window.show(exact_frame(picture)), picture)


def test_a_canvas_that_was_smaller_for_pictures_only_keeps_its_zoom(window: Window) -> None:
    """A slider came and went with the third dimension, and of the draws in between none was napari's."""
    viewer = window.viewer
    viewer.add_image(np.zeros((4, 8, 8), np.uint8))
    viewer.dims.ndisplay = 3
    window.settle()
    height, zoom = window.adapter.canvas_size_px[1], viewer.scene.camera.zoom
    with patch.multiple(window.adapter._gate, begin=lambda **_: False, end=lambda: False):
        viewer.dims.ndisplay = 2
        assert window.adapter.canvas_size_px[1] < height
    viewer.dims.ndisplay = 3
    window.settle()
    assert viewer.scene.camera.zoom == pytest.approx(zoom, rel=1e-6)


def test_a_playing_slider_waits_for_its_frame(window: Window) -> None:
    dims = window.viewer.dims
    frame = exact_frame(noise(window))
    dims._play_ready = False
    window.next_frame(frame)
    assert dims._play_ready, "napari lets any draw continue"

    window.adapter.hold_dims_play()
    dims._play_ready = False
    window.next_frame(frame)
    assert not dims._play_ready
    window.adapter.allow_dims_play()
    assert dims._play_ready


def test_closing_gives_the_canvas_back_as_it_was() -> None:
    viewer = open_viewer()
    canvas = viewer.window._qt_viewer.canvas
    scene_canvas = canvas._scene_canvas
    emitters = scene_canvas.events.draw, scene_canvas.events.resize
    stock = [emitter.callbacks for emitter in emitters]
    children = scene_canvas.scene.children
    painted: list[object] = []
    adapter = CanvasAdapter(viewer, painted.append)
    adapter.hold_dims_play()
    adapter.request_video_draw()
    assert process_until(lambda: bool(painted))
    assert (weakref.ref(canvas), "on_draw") not in emitters[0].callbacks

    adapter.close()
    adapter.close()

    assert [sorted(map(str, emitter.callbacks)) for emitter in emitters] == [sorted(map(str, own)) for own in stock]
    assert emitters[0].callbacks[-1] == stock[0][-1] == (weakref.ref(canvas), "on_draw")
    assert scene_canvas.scene.children == children
    assert viewer.dims._play_ready
    painted.clear()
    viewer.screenshot(canvas_only=True, flash=False)
    adapter.request_video_draw()
    viewer.close()
    assert not painted


def remote(kind: type[Layer]) -> type[Layer]:
    """Return a class as the remote layers are: derived from napari's own."""
    return type(f"Remote{kind.__name__}", (kind,), {"_type_string": kind.__name__.lower()})


TRIANGLE = (np.array([[0, 0, 0], [0, 20, 0], [0, 0, 20]], float), np.array([[0, 1, 2]]), np.ones(3))
DATA = {
    Image: np.ones((4, 30, 40), np.uint8),
    Labels: np.ones((4, 30, 40), np.uint8),
    Points: np.array([[0, 1, 1], [0, 9, 20]], float),
    Shapes: [np.array([[0, 0, 0], [0, 0, 20], [0, 20, 20], [0, 20, 0]], float)],
    Surface: TRIANGLE,
    Tracks: np.array([[0, 0, 1, 1], [0, 1, 5, 5]], float),
    Vectors: np.array([[[0, 0, 0], [0, 5, 5]]], float),
}
REMOTE = {kind: remote(kind) for kind in DATA}


@pytest.mark.parametrize("kind", DATA, ids=lambda kind: kind.__name__)
def test_null_visuals_follow_their_layer_and_draw_nothing(window: Window, kind: type[Layer]) -> None:
    register_null_visuals(REMOTE.values())
    viewer = window.viewer
    layer = REMOTE[kind](DATA[kind], name="remote")
    viewer.add_layer(layer)
    viewer.add_layer(REMOTE[Image](DATA[Image], name="other"))
    visual = viewer.window._qt_viewer.canvas.layer_to_visual[layer]
    assert type(visual) is NullVispyLayer
    window.settle()
    # Only now: the slider of the third dimension takes some of the canvas.
    picture = noise(window, seed=4)
    assert np.array_equal(window.show(exact_frame(picture)), picture)

    for blending in ("additive", "opaque", "minimum", "translucent"):
        layer.blending = blending
    layer.opacity, layer.scale, layer.translate = 0.3, (1, 2, 3), (0, 3, 4)
    assert np.diag(visual.node.transform.matrix)[:2] == pytest.approx([3, 2])
    # Other axes are displayed, as x and y.
    viewer.dims.order = (1, 0, 2)
    assert np.diag(visual.node.transform.matrix)[:2] == pytest.approx([3, 1])
    # Seen edge-on it has no place on the screen, and may be turned back.
    survive_edge_on()
    viewer.dims.order = (0, 1, 2)
    layer.scale, layer.rotate = (1, 1, 1), [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert np.linalg.matrix_rank(visual.node.transform.matrix) == 3
    layer.rotate = np.eye(3)
    viewer.dims.order = (0, 1, 2)
    viewer.layers.move(0, 2)
    window.settle()  # the scene is arranged before a draw
    assert visual.order == 1
    viewer.dims.set_current_step(0, 1)
    viewer.dims.ndisplay = 3
    viewer.canvas.grid.enabled = True
    window.settle()
    picture = noise(window, seed=6)
    assert np.array_equal(window.show(exact_frame(picture)), picture)
    viewer.canvas.grid.enabled = False
    viewer.dims.ndisplay = 2
    layer.visible = False
    assert not visual.node.visible
    layer.visible = True
    viewer.layers.remove(layer)
    window.settle()
    picture = noise(window, seed=5)
    assert np.array_equal(window.show(exact_frame(picture)), picture)


@pytest.mark.parametrize("kind", DATA, ids=lambda kind: kind.__name__)
def test_a_layers_overlays_on_the_canvas_are_drawn_here_those_in_the_scene_are_in_the_video(
    window: Window, kind: type[Layer]
) -> None:
    register_null_visuals(REMOTE.values())
    layer = REMOTE[kind](DATA[kind], name="layer", scale=(1, 2, 3), translate=(0, 5, 6))
    layer.bounding_box.visible = True
    window.viewer.add_layer(layer)
    window.viewer.reset_view()
    window.settle()
    black = exact_frame(np.zeros_like(noise(window)))
    assert not window.show(black).any(), "it would be there twice"
    layer.name_overlay.visible = True
    window.settle()
    shown = window.show(black)
    assert shown[:60].any(), "the name is at the top"
    assert not shown[60:].any()


@pytest.mark.parametrize("kind", DATA, ids=lambda kind: kind.__name__)
def test_every_overlay_can_be_shown(window: Window, kind: type[Layer]) -> None:
    register_null_visuals(REMOTE.values())
    layer = REMOTE[kind](DATA[kind], name="layer")
    window.viewer.add_layer(layer)
    for overlay in layer._overlays.values():
        overlay.visible = True
    window.settle()
    window.show(exact_frame(noise(window)))
    for overlay in layer._overlays.values():
        overlay.visible = False


def test_naparis_own_classes_keep_their_visuals() -> None:
    with pytest.raises(TypeError, match="register a subclass"):
        register_null_visuals([napari.layers.Image])
