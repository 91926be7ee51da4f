"""GLRenderer: draws one decoded picture into the current OpenGL context.

Owner: GUI thread.
"""

from __future__ import annotations

import enum
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from OpenGL import GL
from OpenGL.error import GLError

from napari_cuda.client.control.placement import Placement, Rect, covers, letterbox, with_margin
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.lease import FrameLease, LeaseRole
from napari_cuda.client.playout.picture import ColorSpec, ExactPicture, Plane, YuvPicture
from napari_cuda.client.playout.surface import Surface, SurfaceBinder, SurfaceKind
from napari_cuda.client.qt import yuv_shader
from napari_cuda.client.qt.gl_objects import (
    Fence,
    Program,
    Size,
    Texture,
    Triangle,
    clipped,
    gl_version,
    single_channel_format,
    state_kept,
)
from napari_cuda.client.qt.video_node import Viewport
from napari_cuda.protocol.errors import NapariCudaError, StartupError, StreamError
from napari_cuda.protocol.packet import PacketHeader, enlarged

log = logging.getLogger(__name__)


Place = Callable[[PacketHeader, Size], Sequence[Placement]]
"""Says where a picture goes in a viewport of (width, height)."""


def letterboxed(header: PacketHeader, viewport: Size) -> Sequence[Placement]:
    """Have the whole canvas shown."""
    return (Placement(letterbox(header.canvas_size, viewport)),)


class GLRenderer:
    """Uploads planes without converting them, or binds a surface, and draws through the video shader.

    Owner: GUI thread. Everything on the GPU belongs to one context: a draw with another
    `context_id` starts afresh there. The picture shown is held (`LeaseRole.RENDERER`) until
    another one has replaced it, so that it can be drawn again, in a new context too. If it shows more than
    the canvas and then comes to rest there, it stays under the picture at rest: a camera that moves on finds
    it around that. A surface that was bound is let go of when the GPU has passed the draws that read it; with
    `gl_safe` off, without waiting for that.
    """

    def __init__(self, binders: Mapping[SurfaceKind, SurfaceBinder] | None = None, *, gl_safe: bool = True) -> None:
        self._binders = dict(binders or {})
        self._gl_safe = gl_safe
        self._context_id: int | None = None
        self._gpu: _GpuObjects | None = None
        self._held: SubmittedFrame | None = None
        self._drawable: _Drawable | None = None
        self._under: tuple[SubmittedFrame, _Drawable] | None = None
        """The picture around one at rest."""
        # Surfaces the GPU may still read. Their number is bounded by the decoder's pool.
        self._retiring: deque[tuple[Fence, SubmittedFrame]] = deque()
        self.uploads = 0
        self.on_upload: Callable[[float], object] = lambda _seconds: None
        """Told how long each picture took to hand to OpenGL."""

    def draw(
        self,
        frame: SubmittedFrame | None,
        viewport_px: Viewport,
        context_id: int,
        place: Place = letterboxed,
    ) -> bool:
        """Draw `frame` and return True; draw nothing and return False if there is none.

        `viewport_px` is (x, y, width, height) as in glViewport. `place` says where a picture goes, fractions
        allowed. What is not covered stays as it is.
        The picture must stay unchanged while it is shown: it is uploaded once.

        If it cannot be shown, the one before is drawn again and then StreamError (the planes do
        not match the header, OpenGL refuses them) or LeaseError (its surface was given back) raised.
        Raises StartupError if the driver cannot compile the shader.
        """
        if frame is None or viewport_px[2] <= 0 or viewport_px[3] <= 0:
            return False
        refused: NapariCudaError | None = None
        try:
            with state_kept():
                gpu = self._enter(context_id)
                self._release_passed()
                if not self._shows(frame):
                    try:
                        self._take(gpu, frame)
                    except NapariCudaError as error:
                        refused = error
                if self._drawable is not None and self._held is not None:
                    # What is told of it may be newer than it.
                    header = frame.header if refused is None else self._held.header
                    self._draw(gpu, header, self._drawable, viewport_px, place)
        except GLError as error:
            width, height = frame.header.canvas_size
            raise StreamError(f"OpenGL cannot draw a {width}x{height} picture (error {error.err})") from error
        if refused is not None:
            raise refused
        return True

    def _draw(
        self, gpu: _GpuObjects, header: PacketHeader, drawable: _Drawable, viewport_px: Viewport, place: Place
    ) -> None:
        size = viewport_px[2:]
        over = place(header, size)
        pictures = [(drawable, over)]
        if self._under is not None and not any(covers(one.canvas_px, size) for one in over):
            frame, around = self._under
            pictures.insert(0, (around, place(frame.header, size)))
        for picture, places in pictures:
            for one in places:
                with clipped(one.clip_px, viewport_px):
                    gpu.draw(picture, viewport_px, one.canvas_px)

    def lose_context(self) -> None:
        """Free the GPU objects, because their context is about to go; it must be current.

        The picture is kept: the next draw uploads it again. Harmless when repeated.
        """
        try:
            if self._gpu is not None:
                GL.glFinish()  # then no surface is read any more
                self._gpu.delete()
        except GLError as error:
            log.debug("the OpenGL objects could not be freed, they go with their context: %s", error)
        finally:
            self._forget_gpu()

    def close(self, *, context_current: bool = True) -> None:
        """Free everything and let go of every surface; harmless when repeated.

        With `context_current` False the GPU objects are taken to be gone with their context.
        """
        if context_current:
            self.lose_context()
        self._forget_gpu()
        if self._held is not None:
            self._held.release(LeaseRole.RENDERER)
            self._held = None

    def _forget_gpu(self) -> None:
        self._gpu = None
        self._context_id = None
        self._drawable = None
        if self._under is not None:
            self._under[0].release(LeaseRole.RENDERER)
            self._under = None
        while self._retiring:
            self._retiring.popleft()[1].release(LeaseRole.RENDERER)

    def _enter(self, context_id: int) -> _GpuObjects:
        if self._gpu is None or context_id != self._context_id:
            self._forget_gpu()
            self._gpu = _GpuObjects(gl_version())
            self._context_id = context_id
            if self._held is not None:
                try:
                    self._drawable = self._upload(self._gpu, self._held)
                except (NapariCudaError, GLError) as error:
                    log.warning("the picture shown so far cannot be drawn in another context: %s", error)
        return self._gpu

    def _shows(self, frame: SubmittedFrame) -> bool:
        held = self._held
        return (
            self._drawable is not None
            and held is not None
            and held.picture is frame.picture
            and held.header.picture_size == frame.header.picture_size
        )

    def _take(self, gpu: _GpuObjects, frame: SubmittedFrame) -> None:
        """Make `frame` the one that is drawn; if that fails, nothing has changed."""
        frame.acquire(LeaseRole.RENDERER)
        began_s = time.perf_counter()
        try:
            drawable = self._upload(gpu, frame)
            self.on_upload(time.perf_counter() - began_s)
            self._retire(frame)
        except GLError as error:
            frame.release(LeaseRole.RENDERER)
            width, height = frame.header.picture_size
            raise StreamError(f"OpenGL refused a {width}x{height} picture (error {error.err}): resize it") from error
        except NapariCudaError:
            frame.release(LeaseRole.RENDERER)
            raise
        self._held, self._drawable = frame, drawable

    def _retire(self, frame: SubmittedFrame) -> None:
        """Let go of what was shown before `frame`, once the GPU does not read it any more."""
        held, drawable, under = self._held, self._drawable, self._under
        if held is None or drawable is None:
            if held is not None:
                held.release(LeaseRole.RENDERER)
        elif under is not None and _is_exactly(frame, held):
            self._let_go(held, drawable)
        else:
            if under is not None:
                self._let_go(*under)
                self._under = None
            if _is_inside(frame, held):
                self._under = held, drawable
            else:
                self._let_go(held, drawable)
        self._held = None

    def _let_go(self, frame: SubmittedFrame, drawable: _Drawable) -> None:
        if self._gl_safe and drawable.reads_surface:
            self._retiring.append((Fence(), frame))
        else:
            frame.release(LeaseRole.RENDERER)

    def _release_passed(self) -> None:
        while self._retiring and self._retiring[0][0].passed():
            self._retiring.popleft()[1].release(LeaseRole.RENDERER)

    def _upload(self, gpu: _GpuObjects, frame: SubmittedFrame) -> _Drawable:
        picture, size = frame.picture, _picture_size(frame)
        if isinstance(picture, FrameLease):
            surface = picture.surface
            binder = self._binders.get(surface.kind)
            if binder is not None:
                try:
                    bound = gpu.bind(binder, surface, size, frame.header.coded_size)
                    return replace(bound, margin=frame.header.margin)
                except (StreamError, StartupError, GLError) as error:
                    del self._binders[surface.kind]
                    log.warning("surfaces are downloaded from now on, they cannot be shown directly: %s", error)
            picture = surface.planes()
        self.uploads += 1
        margin = 0 if isinstance(picture, ExactPicture) else frame.header.margin
        return replace(gpu.upload(picture, size), margin=margin)


class _Form(enum.Enum):
    """How the samples of a picture lie in textures: (fragment shader, textures)."""

    PLANAR = (yuv_shader.FRAGMENT_YUV, 3)
    EXACT = (yuv_shader.FRAGMENT_RGBA, 1)
    NV12 = (yuv_shader.FRAGMENT_NV12, 2)
    NV12_RECTANGLE = (yuv_shader.FRAGMENT_NV12_RECTANGLE, 2)


@dataclass(frozen=True, slots=True)
class _Drawable:
    """A picture in textures. `size` is what of it is shown, `texture_size` how large they are for that.

    `margin` of it are around the canvas on each side.
    """

    form: _Form
    textures: tuple[Texture, ...]
    size: Size
    texture_size: Size
    color: ColorSpec | None = None
    chroma_shift: tuple[int, int] = (0, 0)
    margin: int = 0

    @property
    def canvas_size(self) -> Size:
        """What of the picture is canvas."""
        return enlarged(self.size, -self.margin)

    @property
    def reads_surface(self) -> bool:
        """True if drawing reads the decoder's own memory."""
        return self.form in (_Form.NV12, _Form.NV12_RECTANGLE)


class _GpuObjects:
    """The programs, textures and vertices of one context. Owner: GUI thread.

    Of each form there are two sets of textures, filled in turn: what is shown stays whole if an
    upload fails, and an upload does not wait for the draws that read the picture before.
    """

    def __init__(self, version: tuple[int, int]) -> None:
        self._single_channel = single_channel_format(version)
        self._triangle = Triangle(version)
        self._programs: dict[_Form, Program] = {}
        self._sets: dict[_Form, deque[tuple[Texture, ...]]] = {}

    def upload(self, picture: YuvPicture | ExactPicture, size: Size) -> _Drawable:
        """Copy a picture in memory into textures. Raises StreamError before anything is changed, or GLError."""
        if isinstance(picture, ExactPicture):
            return self._filled(_Form.EXACT, [(picture.rgba.reshape(picture.rgba.shape[0], -1), size)])
        yuv_shader.yuv_to_rgb(picture.color)
        chroma = yuv_shader.chroma_size(size, picture.chroma_shift)
        planes = [(picture.y, size), (picture.u, chroma), (picture.v, chroma)]
        return self._filled(_Form.PLANAR, planes, picture.color, picture.chroma_shift)

    def bind(self, binder: SurfaceBinder, surface: Surface, size: Size, coded_size: Size) -> _Drawable:
        """Have textures show a surface. Raises StreamError, GLError, or StartupError: its shader does not compile."""
        yuv_shader.yuv_to_rgb(surface.color)
        form = _Form.NV12_RECTANGLE if binder.rectangle else _Form.NV12
        self._program(form)
        textures = self._next_set(form)
        sizes = (coded_size, yuv_shader.chroma_size(coded_size, (1, 1)))
        for plane, texture in enumerate(textures):
            if binder.rectangle:
                GL.glBindTexture(texture.target, texture.name)
            else:
                texture.allocate(sizes[plane])
            binder.bind(surface, plane, texture.name)
        self._sets[form].rotate()
        return _Drawable(form, textures, size, coded_size, surface.color, (1, 1))

    def draw(self, drawable: _Drawable, viewport_px: Viewport, canvas_px: Rect) -> None:
        """Draw a picture of this context so that what it shows of the canvas fills `canvas_px`."""
        size, shift = drawable.size, drawable.chroma_shift
        destination_px = with_margin(canvas_px, drawable.canvas_size, drawable.margin)
        sharp = yuv_shader.is_sharp(destination_px, size)
        # From the last, so that texture unit 0 is the active one in the end, as vispy expects.
        for unit, texture in reversed(list(enumerate(drawable.textures))):
            texture.use(unit, smooth=not sharp or (unit > 0 and shift != (0, 0)))
        program = self._program(drawable.form)
        program.use()
        program.set("to_picture", *yuv_shader.picture_map(destination_px, viewport_px))
        if drawable.color is not None:
            matrix, zero = yuv_shader.yuv_to_rgb(drawable.color)
            program.set("rgb_from_yuv", *matrix)
            program.set("yuv_zero", *zero)
            program.set("to_chroma", *yuv_shader.chroma_map(size, shift))
        if drawable.reads_surface:
            rectangle = drawable.form is _Form.NV12_RECTANGLE
            padded = drawable.texture_size
            chroma, padded_chroma = (yuv_shader.chroma_size(of, shift) for of in (size, padded))
            program.set("luma_texels", *yuv_shader.texel_map(size, padded, rectangle=rectangle))
            program.set("chroma_texels", *yuv_shader.texel_map(chroma, padded_chroma, rectangle=rectangle))
        self._triangle.draw()

    def delete(self) -> None:
        """Free everything in the current context."""
        for sets in self._sets.values():
            for texture in (texture for textures in sets for texture in textures):
                texture.delete()
        for program in self._programs.values():
            program.delete()
        self._triangle.delete()

    def _filled(
        self,
        form: _Form,
        planes: list[tuple[Plane, Size]],
        color: ColorSpec | None = None,
        chroma_shift: tuple[int, int] = (0, 0),
    ) -> _Drawable:
        textures = self._next_set(form)
        # All of them checked before the first is changed.
        checked = [texture.checked(*plane) for texture, plane in zip(textures, planes, strict=True)]
        for texture, rows, (_plane, size) in zip(textures, checked, planes, strict=True):
            texture.upload(rows, size)
        self._sets[form].rotate()
        return _Drawable(form, textures, planes[0][1], planes[0][1], color, chroma_shift)

    def _next_set(self, form: _Form) -> tuple[Texture, ...]:
        """Return the textures to fill next; rotate when they are shown."""
        if form not in self._sets:
            self._sets[form] = deque(self._textures(form) for _ in range(2))
        return self._sets[form][0]

    def _textures(self, form: _Form) -> tuple[Texture, ...]:
        if form is _Form.EXACT:
            return (Texture((GL.GL_RGBA8, GL.GL_RGBA, 4)),)
        if form is _Form.PLANAR:
            return tuple(Texture(self._single_channel) for _ in range(3))
        rectangle = form is _Form.NV12_RECTANGLE
        formats = (self._single_channel, (GL.GL_RG8, GL.GL_RG, 2))
        return tuple(Texture(format_, rectangle=rectangle) for format_ in formats)

    def _program(self, form: _Form) -> Program:
        if form not in self._programs:
            self._programs[form] = Program(*form.value)
        return self._programs[form]


def _is_inside(frame: SubmittedFrame, shown: SubmittedFrame) -> bool:
    """Return whether `frame` is the middle, at rest, of the picture shown so far, or of one skipped after it."""
    header, before = frame.header, shown.header
    return header.at_rest and header.margin == 0 < before.margin and header.canvas_size == before.canvas_size


def _is_exactly(frame: SubmittedFrame, shown: SubmittedFrame) -> bool:
    """Return whether `frame` is, exactly, the picture at rest shown so far. It is in other textures than video."""
    header, before = frame.header, shown.header
    same = (header.camera, header.canvas_size) == (before.camera, before.canvas_size)
    return isinstance(frame.picture, ExactPicture) and before.at_rest and same


def _picture_size(frame: SubmittedFrame) -> Size:
    """Return the (width, height) to show, or raise StreamError if the picture lacks it."""
    if isinstance(frame.picture, ExactPicture):
        rgba = frame.picture.rgba
        if rgba.ndim != 3 or rgba.shape[2] != 4 or not rgba.flags.c_contiguous or 0 in rgba.shape:
            raise StreamError(f"an exact picture has shape {rgba.shape}; expected (height, width, 4), contiguous")
        return rgba.shape[1], rgba.shape[0]
    width, height = frame.header.picture_size
    coded_width, coded_height = frame.header.coded_size
    if not (0 < width <= coded_width and 0 < height <= coded_height):
        raise StreamError(
            f"a {coded_width}x{coded_height} video picture cannot hold a {width}x{height} canvas: ask for a keyframe"
        )
    return width, height
