"""GLRenderer in a real napari canvas: what the planes mean is what the window shows."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from OpenGL import GL
from qtpy.QtGui import QOffscreenSurface, QOpenGLContext
from vispy.gloo import Program

from gl_window import Picture, Window, exact_frame, frame_of, padded, rgb_reference, yuv_frame
from napari_cuda.client.playout.picture import ColorSpec, ExactPicture, YuvPicture
from napari_cuda.client.qt import gl_renderer
from napari_cuda.client.qt.gl_objects import single_channel_format
from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import PacketFlag

COLORS = [ColorSpec("bt709", True), ColorSpec("bt709", False), ColorSpec("bt601", False), ColorSpec("bt601", True)]
PATCH = 24


def patches(seed: int = 0) -> np.ndarray:
    """Return (9, 13, 3) random YUV, with the corners of the cube among them."""
    colors = np.random.default_rng(seed).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    corners = np.stack(np.meshgrid([0, 255], [0, 255], [0, 255]), axis=-1).reshape(-1, 3)
    colors[0, :8] = corners
    colors[1, :3] = (16, 128, 128), (235, 128, 128), (128, 128, 128)
    return colors


def enlarged(colors: np.ndarray, size: int = PATCH) -> np.ndarray:
    return colors.repeat(size, axis=0).repeat(size, axis=1)


@pytest.mark.parametrize("color", COLORS, ids=str)
@pytest.mark.parametrize("subsampled", [False, True], ids=["444", "420"])
def test_flat_patches_have_the_colour_the_stream_signals(window: Window, color: ColorSpec, subsampled: bool) -> None:
    yuv = enlarged(patches())
    height, width = yuv.shape[:2]

    shown = window.show(yuv_frame(yuv, color, subsampled=subsampled), (0, 0, width, height))

    # Between two patches 4:2:0 chroma is interpolated: only their insides are flat.
    inside = (np.arange(max(width, height)) % PATCH >= 2) & (np.arange(max(width, height)) % PATCH < PATCH - 2)
    flat = np.ix_(inside[:height], inside[:width]) if subsampled else np.ix_(range(height), range(width))
    error = np.abs(shown[:height, :width].astype(float) - rgb_reference(yuv, color))
    assert error[flat].max() <= 2


@pytest.mark.parametrize(
    ("matrix", "red", "green", "blue"),
    [
        ("bt601", (81, 90, 240), (145, 54, 34), (41, 240, 110)),
        ("bt709", (63, 102, 240), (173, 42, 26), (32, 240, 118)),
    ],
)
def test_published_colour_bars(window: Window, matrix: str, red: tuple, green: tuple, blue: tuple) -> None:
    yuv = enlarged(np.array([[red, green, blue, (235, 128, 128), (16, 128, 128)]], np.uint8))

    shown = window.show(yuv_frame(yuv, ColorSpec(matrix, False), subsampled=False), (0, 0, yuv.shape[1], PATCH))

    expected = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)]
    middle = shown[PATCH // 2, PATCH // 2 : yuv.shape[1] : PATCH].astype(int)
    assert np.abs(middle - expected).max() <= 2


def test_colours_are_right_with_opengl_2_textures(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gl_renderer, "gl_version", lambda: (2, 1))
    window.adapter.make_current()
    window.renderer.close()
    yuv = enlarged(patches(seed=1))
    height, width = yuv.shape[:2]

    shown = window.show(yuv_frame(yuv, COLORS[0], subsampled=False), (0, 0, width, height))

    window.renderer.close()
    assert single_channel_format((2, 1))[1] == GL.GL_LUMINANCE
    assert np.abs(shown[:height, :width] - rgb_reference(yuv, COLORS[0])).max() <= 2


def test_odd_size_with_padded_rows_shows_no_padding(window: Window) -> None:
    yuv = enlarged(patches(seed=2)[2:5, :3], 111)[:331, :207]
    frame = yuv_frame(yuv, COLORS[0], subsampled=True, padding=50)
    assert frame.header.coded_size == (208, 332)

    shown = window.show(frame, (0, 0, 207, 331))[:331, :207]

    error = np.abs(shown - rgb_reference(yuv, COLORS[0])).max(axis=-1)
    # The outermost rows and columns are where padding would show.
    assert max(error[-1, :100].max(), error[:100, -1].max(), error[0, :100].max(), error[:100, 0].max()) <= 2


def test_chroma_of_420_is_level_with_even_columns_and_between_rows(window: Window) -> None:
    width, height = 32, 24
    ramp_x = np.linspace(64, 192, width // 2)
    ramp_y = np.linspace(192, 64, height // 2)
    u, v = (
        np.broadcast_to(ramp_x, (height // 2, width // 2)),
        np.broadcast_to(ramp_y[:, None], (height // 2, width // 2)),
    )
    planes = [np.ascontiguousarray(plane.round().astype(np.uint8)) for plane in (u, v)]
    picture = YuvPicture(np.full((height, width), 128, np.uint8), *planes, COLORS[0])

    shown = window.show(frame_of(picture, (width, height)), (0, 0, width, height))[:height, :width]

    # Luma column x is at chroma column x / 2; luma row y at chroma row (y - 1/2) / 2.
    u_full = np.interp(np.arange(width) / 2, np.arange(width // 2), planes[0][0])
    v_full = np.interp((np.arange(height) - 0.5) / 2, np.arange(height // 2), planes[1][:, 0])
    yuv = np.stack(np.broadcast_arrays(128.0, u_full[None, :], v_full[:, None]), axis=-1)
    assert np.abs(shown - rgb_reference(yuv, COLORS[0])).max() <= 1.5


def test_bottom_up_planes_are_shown_the_right_way_round(window: Window) -> None:
    yuv = enlarged(patches(seed=3))
    height, width = yuv.shape[:2]
    planes = [np.ascontiguousarray(yuv[::-1, :, channel])[::-1] for channel in range(3)]
    assert planes[0].strides[0] < 0
    frame = frame_of(YuvPicture(*planes, COLORS[0], (0, 0)), (width, height))

    shown = window.show(frame, (0, 0, width, height))

    assert np.abs(shown[:height, :width] - rgb_reference(yuv, COLORS[0])).max() <= 2


def test_exact_picture_is_bit_identical_in_the_screenshot(window: Window) -> None:
    width, height = window.adapter.canvas_size_px
    rgb = np.random.default_rng(4).integers(0, 256, (height, width, 3), dtype=np.uint8)

    shown = window.show(exact_frame(rgb))

    assert np.array_equal(shown, rgb)


def test_picture_of_another_aspect_is_letterboxed_in_the_canvas_colour(window: Window) -> None:
    width, height = window.adapter.canvas_size_px
    white = np.full((height // 2, width // 4, 3), 255, np.uint8)

    shown = window.show(exact_frame(white))

    # Twice as large, it fills the height and half of the width, in the middle.
    columns = np.flatnonzero(shown[height // 2, :, 0])
    assert abs(len(columns) - width / 2) <= 3
    assert abs(columns[0] - width / 4) <= 3
    assert np.all(shown[2:-2, columns] == 255)
    outside = np.delete(shown, columns, axis=1)
    assert not outside.any()


def test_scaled_video_is_smooth_and_unscaled_video_is_not(window: Window) -> None:
    stripes = np.zeros((40, 40, 3), np.uint8) + np.array([0, 128, 128], np.uint8)
    stripes[:, ::2, 0] = 255
    frame = yuv_frame(stripes, COLORS[0], subsampled=False)

    unscaled = set(np.unique(window.show(frame, (0, 0, 40, 40))[:40, :40, 1]))
    scaled = np.unique(window.show(frame, (0, 0, 100, 100))[:100, :100, 1])

    assert unscaled <= {0, 1, 254, 255}
    assert np.any((scaled > 60) & (scaled < 200))


def test_a_place_moves_the_picture_and_leaves_the_rest_to_the_canvas(window: Window) -> None:
    width, height = window.adapter.canvas_size_px
    rgb = np.random.default_rng(5).integers(1, 256, (height, width, 3), dtype=np.uint8)

    shown = window.show(exact_frame(rgb), (30, -20, width, height))

    assert np.array_equal(shown[: height - 20, 30:], rgb[20:, : width - 30])
    assert not shown[:, :30].any()
    assert not shown[height - 20 :].any()


def test_around_an_exact_picture_the_wider_one_of_before_is_seen(window: Window) -> None:
    canvas, margin = (100, 80), 20
    wide = yuv_frame(np.full((120, 140, 3), (200, 128, 128), np.uint8), ColorSpec("bt709", True), subsampled=True)
    wide = replace(wide, header=replace(wide.header, canvas_size=canvas, margin=margin))
    exact = exact_frame(np.full((80, 100, 3), 90, np.uint8))
    exact = replace(exact, header=replace(exact.header, flags=PacketFlag.AT_REST))
    place = (150, 90, *canvas)
    nothing = window.show(None)[0, 0]
    seen = np.full((120, 140), 200)

    def inside(picture: Picture) -> Picture:
        return picture[70:190, 130:270, 1]

    assert np.abs(inside(window.show(wide, place)).astype(int) - seen).max() <= 1
    seen[20:-20, 20:-20] = 90
    shown = window.show(exact, place)
    assert np.abs(inside(shown).astype(int) - seen).max() <= 1
    outside = shown.copy()
    outside[70:190, 130:270] = nothing
    assert np.all(outside == nothing)
    # Another moving picture says that all of it may be different now.
    window.show(
        replace(
            wide,
            picture=yuv_frame(np.full((80, 100, 3), 128, np.uint8), ColorSpec(), subsampled=True).picture,
            header=replace(wide.header, margin=0, coded_size=canvas),
        ),
        place,
    )
    assert np.all(inside(window.show(exact, place))[:20] == nothing[1])


def test_a_picture_is_uploaded_once(window: Window) -> None:
    frame = yuv_frame(enlarged(patches()), COLORS[0], subsampled=True)
    window.show(frame)
    before = window.renderer.uploads

    window.show(frame)
    # An unchanged packet: a new header over the same planes.
    window.show(replace(frame, header=replace(frame.header, revision=7)))
    assert window.renderer.uploads == before
    window.show(yuv_frame(enlarged(patches(seed=1)), COLORS[0], subsampled=True))
    assert window.renderer.uploads == before + 1


def test_a_new_context_starts_afresh(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = np.random.default_rng(6).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    frame = exact_frame(rgb)
    window.show(frame, (0, 0, 60, 50))
    before = window.renderer.uploads
    monkeypatch.setattr(type(window.adapter), "context_id", property(lambda _adapter: 999))

    shown = window.show(frame, (0, 0, 60, 50))

    assert window.renderer.uploads == before + 1
    assert np.array_equal(shown[:50, :60], rgb)


def test_the_gl_state_is_as_it_was(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        GL.GL_DEPTH_TEST,
        GL.GL_BLEND,
        GL.GL_CULL_FACE,
        GL.GL_SCISSOR_TEST,
        GL.GL_DEPTH_WRITEMASK,
        GL.GL_UNPACK_ALIGNMENT,
        GL.GL_UNPACK_ROW_LENGTH,
        GL.GL_ACTIVE_TEXTURE,
        GL.GL_ARRAY_BUFFER_BINDING,
        GL.GL_VERTEX_ARRAY_BINDING,
        GL.GL_TEXTURE_BINDING_2D,
    ]
    seen = []
    draw = window.renderer.draw

    def spy(*arguments: object) -> bool:
        # What a visual may have left: none of it may reach the video.
        GL.glEnable(GL.GL_BLEND)
        GL.glBlendFunc(GL.GL_ZERO, GL.GL_ONE)
        GL.glEnable(GL.GL_DEPTH_TEST)
        GL.glDepthFunc(GL.GL_NEVER)
        before = [int(GL.glGetIntegerv(name)) for name in names]
        drawn = draw(*arguments)
        seen.append((before, [int(GL.glGetIntegerv(name)) for name in names]))
        GL.glDepthFunc(GL.GL_LEQUAL)
        return drawn

    monkeypatch.setattr(window.renderer, "draw", spy)
    yuv = enlarged(patches(seed=7))
    frame = yuv_frame(yuv, COLORS[0], subsampled=False, padding=3)
    shown = window.show(frame, (0, 0, yuv.shape[1], yuv.shape[0]))

    assert np.abs(shown[: yuv.shape[0], : yuv.shape[1]] - rgb_reference(yuv, COLORS[0])).max() <= 2
    assert seen
    assert all(before == after for before, after in seen)


def visual_program(color: tuple[float, float, float, float]) -> Program:
    """Return a program of vispy's that fills the canvas."""
    program = Program(
        "attribute vec2 corner; void main() { gl_Position = vec4(corner, 0.0, 1.0); }",
        "uniform vec4 color; void main() { gl_FragColor = color; }",
    )
    program["corner"] = np.array([(-1, -1), (3, -1), (-1, 3)], np.float32)
    program["color"] = color
    return program


@pytest.mark.parametrize("version", [None, (2, 1)], ids=["vertex arrays", "OpenGL 2"])
def test_vispy_may_delete_the_program_it_used_last_before_the_video_is_drawn(
    window: Window, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, version: tuple[int, int] | None
) -> None:
    if version is not None:
        monkeypatch.setattr(gl_renderer, "gl_version", lambda: version)
        window.adapter.make_current()
        window.renderer.lose_context()
    canvas = window.viewer.window._qt_viewer.canvas._scene_canvas
    known = canvas.context.shared.parser.env
    seen: dict[str, object] = {}
    paint = window.renderer.draw

    def program_in_use() -> tuple[int, int]:
        return int(GL.glGetIntegerv(GL.GL_CURRENT_PROGRAM)), known.get("current_program", 0)

    def spy(*arguments: object) -> bool:
        first = visual_program((1, 0, 0, 1))
        first.draw("triangles")
        seen["deleted"] = program_in_use()
        first.delete()
        canvas.context.flush_commands()
        for step in range(4):  # as for instances
            GL.glVertexAttribDivisor(step, 1)
        GL.glEnable(GL.GL_BLEND)
        GL.glBlendFunc(GL.GL_ONE, GL.GL_ZERO)
        return paint(*arguments)

    def draw_another(_event: object) -> None:
        seen["after the video"] = program_in_use()
        seen["blends"] = bool(GL.glIsEnabled(GL.GL_BLEND))
        seen["video"] = tuple(GL.glReadPixels(5, 5, 1, 1, GL.GL_RGB, GL.GL_UNSIGNED_BYTE))
        visual_program((0, 1, 0, 1)).draw("triangles")
        seen["another"] = tuple(GL.glReadPixels(5, 5, 1, 1, GL.GL_RGB, GL.GL_UNSIGNED_BYTE))

    monkeypatch.setattr(window.renderer, "draw", spy)
    width, height = window.adapter.canvas_size_px
    canvas.events.draw.connect(draw_another, position="last")
    try:
        window.show(exact_frame(np.full((height, width, 3), 90, np.uint8)))
    finally:
        canvas.events.draw.disconnect(draw_another)
        window.adapter.make_current()
        window.renderer.lose_context()

    current, believed = seen["deleted"]
    assert current == believed != 0
    assert seen["after the video"] == (0, 0), "what vispy believes is current has to be"
    assert seen["blends"]
    assert (seen["video"], seen["another"]) == ((90, 90, 90), (0, 255, 0))
    assert not caplog.records


def test_a_program_is_deleted_in_the_context_that_drew_with_it_or_the_driver_crashes(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """napari carries vispy's commands out whenever layers come or go, whichever context is current then."""
    vispy_canvas = window.viewer.window._qt_viewer.canvas
    canvas, native = vispy_canvas._scene_canvas, vispy_canvas.native
    frame = exact_frame(np.full((16, 16, 3), 90, np.uint8))
    programs: list[Program] = []
    handles: list[int] = []
    paint = window.renderer.draw

    def spy(*arguments: object) -> bool:
        if not programs:
            programs.append(visual_program((1, 0, 0, 1)))
            programs[0].draw("triangles")
            handles.append(int(GL.glGetIntegerv(GL.GL_CURRENT_PROGRAM)))
        return paint(*arguments)

    monkeypatch.setattr(window.renderer, "draw", spy)
    for _ in range(2):
        window.show(frame, (0, 0, 16, 16))
    other, surface = QOpenGLContext(), QOffscreenSurface()
    other.setShareContext(native.context())
    other.setFormat(native.context().format())
    surface.setFormat(native.context().format())
    surface.create()
    assert other.create()
    assert other.makeCurrent(surface)
    programs[0].delete()
    canvas.context.finish()  # as napari does
    assert GL.glIsProgram(handles[0]), "not in this context"
    other.doneCurrent()
    for _ in range(3):
        assert window.show(frame, (0, 0, 16, 16))[5, 5].tolist() == [90, 90, 90]
    window.adapter.make_current()
    assert not GL.glIsProgram(handles[0])


def test_what_vispy_relies_on_is_put_back_though_a_draw_fails(window: Window) -> None:
    frame = exact_frame(np.full((16, 16, 3), 90, np.uint8))
    window.show(frame, (0, 0, 16, 16))
    window.adapter.make_current()
    GL.glEnable(GL.GL_BLEND)
    GL.glEnable(GL.GL_DEPTH_TEST)

    with pytest.raises(StreamError, match="OpenGL cannot draw"):
        window.renderer.draw(
            frame, (0, 0, 16, 16), window.adapter.context_id, lambda *_: GL.glEnable(GL.GL_TEXTURE_BINDING_2D)
        )

    assert GL.glIsEnabled(GL.GL_BLEND)
    assert GL.glIsEnabled(GL.GL_DEPTH_TEST)
    assert GL.glGetIntegerv(GL.GL_CURRENT_PROGRAM) == 0


def test_broken_frames_are_refused_in_words(window: Window, caplog: pytest.LogCaptureFixture) -> None:
    good = yuv_frame(enlarged(patches()), COLORS[0], subsampled=True)
    picture = good.picture
    assert isinstance(picture, YuvPicture)
    broken = {
        "cannot hold a": replace(good, header=replace(good.header, canvas_size=(4000, 20))),
        "a decoded plane is uint8": replace(good, picture=replace(picture, u=padded(picture.u[:5, :5], 5, 5))),
        "colour matrix 'bt2020'": replace(good, picture=replace(picture, color=ColorSpec("bt2020"))),
        "an exact picture has shape": frame_of(ExactPicture(np.zeros((4, 5, 3), np.uint8)), (5, 4)),
    }
    for words, frame in broken.items():
        window.adapter.make_current()
        with pytest.raises(StreamError, match=words):
            window.renderer.draw(frame, (0, 0, 100, 100), window.adapter.context_id)

    # In the window: one line in the log for many draws, and the next good frame is shown.
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            window.show(broken["cannot hold a"])
    assert len([record for record in caplog.records if "cannot hold a" in record.message]) == 1
    rgb = np.full((10, 10, 3), 77, np.uint8)
    assert np.array_equal(window.show(exact_frame(rgb), (0, 0, 10, 10))[:10, :10], rgb)


def test_no_frame_leaves_the_canvas_to_napari(window: Window) -> None:
    background = np.asarray(window.viewer.canvas.background_color, float)[:3] * 255

    shown = window.show(None)

    assert np.abs(shown - background).max() <= 1
