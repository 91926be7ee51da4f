"""GLRenderer and decoded surfaces: held as long as the GPU may read them, and shown right."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from OpenGL import GL
from OpenGL.error import GLError

from gl_window import Window, exact_frame, frame_of, padded, rgb_reference, yuv_frame
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.lease import FrameLease, LeaseLedger, LeaseRole, UseAfterReleaseError
from napari_cuda.client.playout.picture import ColorSpec, YuvPicture
from napari_cuda.client.playout.surface import Surface, SurfaceKind
from napari_cuda.client.qt import gl_objects, gl_renderer, yuv_shader
from napari_cuda.client.qt.gl_renderer import GLRenderer
from napari_cuda.protocol.errors import StartupError, StreamError

COLOR = ColorSpec("bt709", True)
WIDTH, HEIGHT = 206, 130
"""What is shown; coded 10 and 6 larger, with garbage there."""


@dataclass
class TestSurface:
    """A surface in memory that says it is somewhere else."""

    __test__ = False
    picture: YuvPicture
    kind: SurfaceKind = SurfaceKind.CPU_PLANES
    pts: int = 0
    handle: int = 0
    downloads: int = field(default=0, init=False)

    @property
    def color(self) -> ColorSpec:
        return self.picture.color

    def planes(self) -> YuvPicture:
        self.downloads += 1
        return self.picture

    def close(self) -> None:
        """What a pool would do with the memory: fill it with another picture."""
        for plane in (self.picture.y, self.picture.u, self.picture.v):
            plane[:] = 0


class TestBinder:
    """Puts surfaces into textures as NV12, as hardware would."""

    __test__ = False

    def __init__(self, *, rectangle: bool) -> None:
        self.rectangle = rectangle
        self.broken = False

    def bind(self, surface: Surface, plane: int, texture: int) -> None:
        if self.broken:
            raise StreamError("no such surface")
        picture = surface.picture
        samples = picture.y if plane == 0 else np.ascontiguousarray(np.dstack([picture.u, picture.v]))
        target = GL.GL_TEXTURE_RECTANGLE if self.rectangle else GL.GL_TEXTURE_2D
        size, pixels = samples.shape[1::-1], GL.GL_RED if plane == 0 else GL.GL_RG
        address = ctypes.c_void_p(samples.ctypes.data)
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
        if self.rectangle:
            internal = GL.GL_R8 if plane == 0 else GL.GL_RG8
            GL.glTexImage2D(target, 0, internal, *size, 0, pixels, GL.GL_UNSIGNED_BYTE, address)
        else:
            GL.glTexSubImage2D(target, 0, 0, 0, *size, pixels, GL.GL_UNSIGNED_BYTE, address)
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 4)
        assert texture


class Pool:
    """Makes frames of surfaces; `live` are those not given back."""

    def __init__(self) -> None:
        self.ledger = LeaseLedger()

    def frame(self, yuv: np.ndarray, kind: SurfaceKind = SurfaceKind.CPU_PLANES) -> SubmittedFrame:
        """Return a frame of an (H, W, 3) picture in a surface held by DECODER."""
        height, width = yuv.shape[:2]
        coded = width + 10, height + 6
        y = padded(yuv[..., 0], coded[0], coded[1])
        u, v = (padded(yuv[::2, ::2, channel], coded[0] // 2, coded[1] // 2) for channel in (1, 2))
        lease = FrameLease(TestSurface(YuvPicture(y, u, v, COLOR), kind), self.ledger)
        return frame_of(lease, (width, height), coded)

    @property
    def live(self) -> int:
        return self.ledger.live


@pytest.fixture
def pool() -> Pool:
    return Pool()


Use = Callable[..., GLRenderer]


@pytest.fixture
def use(window: Window) -> Iterator[Use]:
    """Have the window draw with a renderer of the test's own."""
    before = window.renderer

    def use_renderer(*arguments: object, **options: object) -> GLRenderer:
        window.renderer = GLRenderer(*arguments, **options)
        return window.renderer

    yield use_renderer
    window.frame = None
    window.adapter.make_current()
    window.renderer.close()
    window.renderer = before


def picture(seed: int = 0) -> np.ndarray:
    """Return (HEIGHT, WIDTH, 3) YUV whose chroma is flat within 8 x 8 pixels."""
    blocks = np.random.default_rng(seed).integers(16, 236, (HEIGHT // 8 + 1, WIDTH // 8 + 1, 3), dtype=np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)[:HEIGHT, :WIDTH]


def error(shown: np.ndarray, yuv: np.ndarray) -> float:
    """Return the largest error where chroma is not between two blocks, the last row and column included."""
    rows, columns = (
        (np.arange(side) % 8 >= 2) & (np.arange(side) % 8 < 6) | (np.arange(side) == side - 1)
        for side in (HEIGHT, WIDTH)
    )
    difference = np.abs(shown[:HEIGHT, :WIDTH].astype(float) - rgb_reference(yuv, COLOR))
    return float(difference[np.ix_(rows, columns)].max())


AT = (0, 0, WIDTH, HEIGHT)


def test_a_surface_in_memory_is_uploaded_and_held_while_it_is_shown(window: Window, use: Use, pool: Pool) -> None:
    use()
    first, second = pool.frame(picture(1)), pool.frame(picture(2))
    assert error(window.show(first, AT), picture(1)) <= 2
    first.release(LeaseRole.DECODER)
    assert pool.live == 2, "it may have to be drawn again in another context"
    assert error(window.show(second, AT), picture(2)) <= 2
    second.release(LeaseRole.DECODER)
    assert pool.live == 1, "uploaded is copied: nothing to wait for"
    assert error(window.screenshot(), picture(2)) <= 2


@pytest.mark.parametrize("rectangle", [True, False], ids=["rectangle", "2d"])
def test_a_bound_surface_is_shown_without_its_padding(window: Window, use: Use, pool: Pool, rectangle: bool) -> None:
    renderer = use({SurfaceKind.IOSURFACE: TestBinder(rectangle=rectangle)})
    yuv = picture(3)
    frame = pool.frame(yuv, SurfaceKind.IOSURFACE)
    assert error(window.show(frame, AT), yuv) <= 2
    enlarged = window.show(frame, (0, 0, 2 * WIDTH, 2 * HEIGHT))[: 2 * HEIGHT, : 2 * WIDTH]
    # Padding is checkered black and white: it would show in the last row and column.
    assert np.abs(enlarged[-1, 4:9].astype(float) - rgb_reference(yuv[-1:, 3:4], COLOR)[0]).max() <= 3
    assert np.abs(enlarged[4:9, -1].astype(float) - rgb_reference(yuv[3:4, -1:], COLOR)[0]).max() <= 3
    assert renderer.uploads == 0
    assert frame.picture.surface.downloads == 0


class SlowGpu:
    """Fences that pass when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = False
        monkeypatch.setattr(gl_objects.GL, "glClientWaitSync", self.wait)

    def wait(self, sync: object, flags: int, timeout_ns: int) -> int:
        assert timeout_ns == 0, "the GUI thread must not wait for the GPU"
        return GL.GL_ALREADY_SIGNALED if self.done else GL.GL_TIMEOUT_EXPIRED


@pytest.fixture
def bound(use: Use) -> GLRenderer:
    return use({SurfaceKind.CUDA: TestBinder(rectangle=False)})


def failing_gl() -> None:
    raise GLError(GL.GL_OUT_OF_MEMORY)


def released_by_decoder(pool: Pool, seed: int) -> tuple[SubmittedFrame, Callable[[], None]]:
    frame = pool.frame(picture(seed), SurfaceKind.CUDA)
    return frame, lambda: frame.release(LeaseRole.DECODER)


def test_a_bound_surface_is_kept_until_the_gpu_has_passed_the_fence(
    window: Window, bound: GLRenderer, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = SlowGpu(monkeypatch)
    for seed in range(3):
        frame, release = released_by_decoder(pool, seed)
        window.show(frame, AT)
        release()
    assert pool.live == 3, "two that the GPU may still read, one that is shown"
    gpu.done = True
    window.show(window.frame, AT)
    assert pool.live == 1


def test_without_gl_safe_it_is_not_waited_for(
    window: Window, use: Use, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    SlowGpu(monkeypatch)
    use({SurfaceKind.CUDA: TestBinder(rectangle=False)}, gl_safe=False)
    for seed in range(3):
        frame, release = released_by_decoder(pool, seed)
        window.show(frame, AT)
        release()
    assert pool.live == 1


def test_without_fences_the_gpu_is_waited_for(
    window: Window, bound: GLRenderer, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gl_objects, "fences_supported", lambda: False)
    finished: list[None] = []
    finish = gl_objects.GL.glFinish
    monkeypatch.setattr(gl_objects.GL, "glFinish", lambda: (finished.append(None), finish()))
    for seed in range(3):
        frame, release = released_by_decoder(pool, seed)
        window.show(frame, AT)
        release()
    window.show(window.frame, AT)
    assert pool.live == 1
    assert len(finished) >= 2


def test_a_surface_that_cannot_be_bound_is_downloaded_from_then_on(
    window: Window, use: Use, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    binder = TestBinder(rectangle=False)
    binder.broken = True
    renderer = use({SurfaceKind.CUDA: binder})
    with caplog.at_level(logging.WARNING):
        for seed in (1, 2):
            frame = pool.frame(picture(seed), SurfaceKind.CUDA)
            assert error(window.show(frame, AT), picture(seed)) <= 2
    assert renderer.uploads == 2
    assert len([record for record in caplog.records if "no such surface" in record.getMessage()]) == 1


def test_a_surface_whose_shader_does_not_compile_is_downloaded(
    window: Window, bound: GLRenderer, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_for_this_driver(fragment: str, planes: int) -> gl_objects.Program:
        if fragment == yuv_shader.FRAGMENT_NV12:
            raise StartupError("the driver cannot compile it")
        return gl_objects.Program(fragment, planes)

    monkeypatch.setattr(gl_renderer, "Program", compile_for_this_driver)
    frame = pool.frame(picture(1), SurfaceKind.CUDA)
    assert error(window.show(frame, AT), picture(1)) <= 2
    assert bound.uploads == 1


def test_a_picture_whose_predecessor_cannot_be_fenced_is_refused_and_let_go_of(
    window: Window, bound: GLRenderer, pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    frame, release = released_by_decoder(pool, 1)
    window.show(frame, AT)
    release()
    monkeypatch.setattr(gl_renderer, "Fence", failing_gl)
    frame, release = released_by_decoder(pool, 2)
    assert error(window.show(frame, AT), picture(1)) <= 2
    release()
    assert pool.live == 1
    assert "the video cannot be drawn: OpenGL refused" in caplog.text


def show_some(window: Window, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a GPU that is not done with several pictures when the renderer closes."""
    SlowGpu(monkeypatch)
    for seed in range(3):
        frame, release = released_by_decoder(pool, seed)
        window.show(frame, AT)
        release()
    window.frame = None
    window.adapter.make_current()


def test_closing_lets_go_of_everything_though_opengl_fails(
    window: Window, bound: GLRenderer, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    show_some(window, pool, monkeypatch)
    with monkeypatch.context() as broken:
        broken.setattr(gl_objects.GL, "glFinish", failing_gl)
        bound.close()
    assert pool.live == 0


def test_closing_lets_go_of_everything(
    window: Window, bound: GLRenderer, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    show_some(window, pool, monkeypatch)
    bound.close()
    bound.close()
    assert pool.live == 0


def test_closing_without_a_context_lets_go_of_everything(window: Window, bound: GLRenderer, pool: Pool) -> None:
    frame, release = released_by_decoder(pool, 1)
    window.show(frame, AT)
    release()
    window.frame = None
    bound.close(context_current=False)
    assert pool.live == 0


def test_the_last_good_picture_stays_when_the_next_cannot_be_shown(
    window: Window, use: Use, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    use()
    good = pool.frame(picture(1))
    window.show(good, AT)
    good.release(LeaseRole.DECODER)
    gone = pool.frame(picture(2))
    gone.release(LeaseRole.DECODER)
    with pytest.raises(UseAfterReleaseError):
        assert gone.picture.surface
    torn = yuv_frame(picture(3), COLOR, subsampled=True)
    torn = replace(torn, picture=replace(torn.picture, v=torn.picture.v[:4]))
    for broken in (gone, torn):
        with caplog.at_level(logging.ERROR):
            shown = window.show(broken, AT)
        assert error(shown, picture(1)) <= 2
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert pool.live == 1
    rgb = np.full((10, 10, 3), 77, np.uint8)
    assert np.array_equal(window.show(exact_frame(rgb), (0, 0, 10, 10))[:10, :10], rgb)
    assert pool.live == 0


def test_a_lost_context_costs_an_upload_and_no_picture(window: Window, use: Use, pool: Pool) -> None:
    renderer = use()
    frame = pool.frame(picture(1))
    window.show(frame, AT)
    frame.release(LeaseRole.DECODER)
    window.adapter.make_current()
    renderer.lose_context()
    assert pool.live == 1
    assert error(window.show(frame, AT), picture(1)) <= 2
    assert renderer.uploads == 2


def test_a_picture_that_a_new_context_refuses_does_not_keep_the_next_one_away(
    window: Window, use: Use, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> YuvPicture:
        raise StreamError("its device is gone")

    renderer = use()
    lost, next_one = pool.frame(picture(1)), pool.frame(picture(2))
    window.show(lost, AT)
    window.adapter.make_current()
    renderer.lose_context()
    monkeypatch.setattr(lost.picture.surface, "planes", refuse)
    assert error(window.show(next_one, AT), picture(2)) <= 2
