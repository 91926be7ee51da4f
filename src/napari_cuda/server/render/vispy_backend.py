"""The vispy backend that draws into our own framebuffer instead of a window.

vispy's own EGL backend opens only the default display and asks for no depth buffer; this one
takes an open `EglContext`. Import after `settings.prepare_headless_process`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
from OpenGL import GL
from OpenGL.GL.MESA.pack_invert import GL_PACK_INVERT_MESA, glInitPackInvertMESA
from qtpy.QtGui import QImage
from vispy.app import Application, Canvas
from vispy.app.base import BaseApplicationBackend, BaseCanvasBackend
from vispy.scene import Node, SceneCanvas
from vispy.util import keys

from napari_cuda.overlays import split_draw_order
from napari_cuda.protocol import messages as m
from napari_cuda.server.render.egl import EglContext
from napari_cuda.server.render.glir import DrawingCommands
from napari_cuda.view import framebuffer_size

# An RGBA pixel whose alpha is 255 and whose colour is 0, as the machine sees it in one word.
_OPAQUE = np.array([0, 0, 0, 255], np.uint8).view(np.uint32)[0]

_MODIFIERS = {"shift": keys.SHIFT, "control": keys.CONTROL, "alt": keys.ALT, "meta": keys.META}

# What vispy may ask of this backend. napari asks for vsync; there is nothing to wait for.
_CAPABILITY = {
    "title": True,
    "size": True,
    "position": True,
    "show": True,
    "vsync": True,
    "resizable": True,
    "decorate": True,
    "fullscreen": False,
    "context": False,
    "multi_window": False,
    "scroll": True,
    "parent": False,
    "always_on_top": False,
}


class Framebuffer:
    """An OpenGL framebuffer: RGBA8 colour, 24 bit depth, 8 bit stencil. Owner: render thread.

    The colour buffer has alpha because napari's `additive` and `opaque` blending read and
    write it: without it their pictures differ from the desktop's.
    """

    def __init__(self) -> None:
        self.id = int(GL.glGenFramebuffers(1))
        self._color, self._depth = (int(name) for name in GL.glGenRenderbuffers(2))
        self._size = (0, 0)
        self._bottom_first = np.empty((0, 0, 4), np.uint8)
        # Mesa, so every software renderer, can turn the rows over itself: one pass less.
        self.reads_top_first = bool(glInitPackInvertMESA())

    def allocate(self, width: int, height: int) -> None:
        """Give the picture a size; its content is then undefined. Does nothing if it has that size."""
        if self._size == (width, height):
            return
        self._size = (width, height)
        for name, layout in ((self._color, GL.GL_RGBA8), (self._depth, GL.GL_DEPTH24_STENCIL8)):
            GL.glBindRenderbuffer(GL.GL_RENDERBUFFER, name)
            GL.glRenderbufferStorage(GL.GL_RENDERBUFFER, layout, width, height)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self.id)
        for attachment, name in (
            (GL.GL_COLOR_ATTACHMENT0, self._color),
            (GL.GL_DEPTH_STENCIL_ATTACHMENT, self._depth),
        ):
            GL.glFramebufferRenderbuffer(GL.GL_FRAMEBUFFER, attachment, GL.GL_RENDERBUFFER, name)

    def read(self, rgba: npt.NDArray[np.uint8]) -> None:
        """Copy the picture into `rgba`, (H, W, 4) uint8 contiguous: top row first, alpha 255."""
        # One pass makes the picture opaque, as Qt does on the desktop. Only as words it is fast.
        words = rgba.view(np.uint32)[:, :, 0]
        if self.reads_top_first:
            GL.glPixelStorei(GL_PACK_INVERT_MESA, 1)
            self._read_pixels(rgba)
            GL.glPixelStorei(GL_PACK_INVERT_MESA, 0)
            np.bitwise_or(words, _OPAQUE, out=words)
            return
        if self._bottom_first.shape != rgba.shape:
            self._bottom_first = np.empty_like(rgba)
        self._read_pixels(self._bottom_first)
        np.bitwise_or(self._bottom_first.view(np.uint32)[::-1, :, 0], _OPAQUE, out=words)

    def _read_pixels(self, pixels: npt.NDArray[np.uint8]) -> None:
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self.id)
        # `pixels` must be an array of bytes: PyOpenGL corrupts memory if it is one of words.
        GL.glReadPixels(0, 0, *self._size, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, pixels)

    def close(self) -> None:
        """Free the buffers; the context must be current."""
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, 0)
        GL.glDeleteFramebuffers(1, [self.id])
        GL.glDeleteRenderbuffers(2, [self._color, self._depth])


class _Signal:
    """The part of a Qt signal that napari uses."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], Any]] = []

    def connect(self, callback: Callable[[], Any]) -> None:
        self._callbacks.append(callback)

    def emit(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class CanvasBackend(BaseCanvasBackend):
    """The "window" of a vispy canvas: a size, a scale and a framebuffer. Owner: render thread.

    The canvas is `size` logical pixels; the picture has `pixel_ratio` physical ones for each, times `scale`.
    """

    _double_click_supported = True  # vispy then makes none of its own: the clients' windows say what is one

    def __init__(self, vispy_canvas: Canvas, *, gl: EglContext, **kwargs: Any) -> None:
        super().__init__(vispy_canvas)
        options = self._process_backend_kwargs(kwargs)
        options.context.shared.add_ref("napari-cuda", self)
        options.context.shared.parser = self._commands = DrawingCommands()
        self._gl = gl
        self._size: tuple[int, int] = options.size
        self._pixel_ratio = 1.0
        self._scale = 1.0
        self.needs_draw = True
        """True if the scene changed since the last `draw`."""
        self._cursor: Any = None
        self.grab: Callable[[], npt.NDArray[np.uint8]] | None = None
        """Draws the finished picture, (H, W, 4)."""
        self.destroyed = _Signal()
        self.screen_changed = _Signal()
        gl.make_current()
        self._framebuffer = Framebuffer()
        self._framebuffer.allocate(*self.physical_size_px)
        self._vispy_canvas.set_current()
        self._vispy_canvas.events.initialize()

    @property
    def physical_size_px(self) -> tuple[int, int]:
        """(width, height) of the picture in its own pixels."""
        width, height = self.full_size_px
        return max(1, round(width * self._scale)), max(1, round(height * self._scale))

    @property
    def full_size_px(self) -> tuple[int, int]:
        """(width, height) of the picture in full detail."""
        return framebuffer_size(self._size, self._pixel_ratio)

    @property
    def pixel_ratio(self) -> float:
        """How many pixels a picture in full detail has for one of the canvas."""
        return self._pixel_ratio

    @pixel_ratio.setter
    def pixel_ratio(self, ratio: float) -> None:
        if ratio != self._pixel_ratio:
            self._pixel_ratio = ratio
            self.announce_size()

    @property
    def exact(self) -> bool:
        """Whether each pixel is drawn as in stock napari; the default. Without it is quicker, and nearly that."""
        return self._commands.exact

    @exact.setter
    def exact(self, exact: bool) -> None:
        self._commands.exact = exact

    @property
    def drew_exactly(self) -> bool:
        """True if nothing in the last `draw` was drawn in a way that may differ from stock napari."""
        return not self._commands.inexact

    def prepare_exact(self, longest_s: float) -> bool:
        """Do part of what the next exact draw needs, for about so long; True once nothing of it is left."""
        self._gl.make_current()
        return self._commands.link_twins(longest_s)

    def request_draw(self) -> None:
        """Ask for a new picture."""
        self.needs_draw = True

    def set_scale(self, scale: float) -> None:
        """Draw that part of the full size in each direction from now on."""
        if scale != self._scale:
            self._scale = scale
            self.announce_size()

    def resize(self, width: int, height: int) -> None:
        """Give the canvas another size in logical pixels."""
        # napari blocks the wrong callback for this: equal sizes must end the ping-pong.
        if (width, height) != self._size:
            self._size = (width, height)
            self.announce_size()

    def announce_size(self) -> None:
        """Tell the canvas its size: Qt's first resize does this on the desktop."""
        self._vispy_canvas.events.resize(size=self._size, physical_size=self.physical_size_px)
        self.needs_draw = True

    def draw(self, rows: tuple[int, int] | None = None) -> None:
        """Draw the scene into the framebuffer; what a draw callback changes asks for another.

        Of physical `rows` (first, end), counted from the bottom, only these, and not before they are
        drawn it returns. Whatever a layer's drawing raises passes through, and the picture still needs drawing.
        """
        self.needs_draw = False
        self._commands.inexact = False
        drawn = False
        try:
            self._clip(rows)
            self._gl.make_current()
            self._framebuffer.allocate(*self.physical_size_px)
            self._vispy_canvas.set_current()
            self._vispy_canvas.context.set_viewport(0, 0, *self.physical_size_px)
            self._vispy_canvas.events.draw(region=None)
            drawn = True
        finally:
            self.needs_draw |= not drawn
            if rows is not None:
                self._clip(None)
                GL.glFinish()

    def _clip(self, rows: tuple[int, int] | None) -> None:
        """Draw in these rows only; in all of them if None. Nothing in vispy's scenes sets the scissor."""
        self._gl.make_current()
        if rows is None:
            GL.glDisable(GL.GL_SCISSOR_TEST)
        else:
            GL.glEnable(GL.GL_SCISSOR_TEST)
            GL.glScissor(0, rows[0], self.physical_size_px[0], rows[1] - rows[0])

    def read(self, rgba: npt.NDArray[np.uint8]) -> None:
        """Copy the drawn picture into `rgba`, (height, width, 4) uint8 of the physical size."""
        self._framebuffer.read(rgba)

    def pointer(self, event: m.InputPointer) -> None:
        """Have vispy and napari see a pointer event at its place on this canvas, as they would from a window."""
        button: dict[str, object] = {"button": event.button}
        deliveries: dict[str, tuple[Callable[..., object], dict[str, object]]] = {
            "press": (self._vispy_mouse_press, button),
            "move": (self._vispy_mouse_move, {}),
            "release": (self._vispy_mouse_release, button),
            "double": (self._vispy_mouse_double_click, button),
            "wheel": (self._vispy_canvas.events.mouse_wheel, {"delta": event.delta}),
        }
        deliver, facts = deliveries[event.action]
        # Else vispy drops moves that follow within 10 ms, and a stroke has holes.
        self._last_time = 0.0
        modifiers = tuple(_MODIFIERS[name] for name in event.modifiers)
        native = SimpleNamespace(inverted=lambda: event.inverted)
        deliver(native=native, pos=tuple(event.position), buttons=event.buttons, modifiers=modifiers, **facts)

    # What vispy calls.

    def _vispy_set_current(self) -> None:
        self._gl.make_current()

    def _vispy_get_fb_bind_location(self) -> int:
        return self._framebuffer.id

    def _vispy_update(self) -> None:
        self.needs_draw = True

    def _vispy_get_size(self) -> tuple[int, int]:
        return self._size

    def _vispy_get_physical_size(self) -> tuple[int, int]:
        return self.physical_size_px

    def _vispy_set_size(self, w: int, h: int) -> None:
        self.resize(w, h)

    def _vispy_get_position(self) -> tuple[int, int]:
        return 0, 0

    def _vispy_set_position(self, x: int, y: int) -> None: ...

    def _vispy_set_title(self, title: str) -> None: ...

    def _vispy_set_visible(self, visible: bool) -> None: ...

    def _vispy_swap_buffers(self) -> None: ...

    def _vispy_close(self) -> None:
        self._gl.make_current()
        self._framebuffer.close()

    # What napari's canvas asks of a Qt widget. napari replaces enterEvent and leaveEvent.

    def enterEvent(self, event: Any) -> None: ...

    def leaveEvent(self, event: Any) -> None: ...

    def cursor(self) -> Any:
        """Return the cursor that napari set last."""
        return self._cursor

    def setCursor(self, cursor: Any) -> None:
        """Keep the cursor; the client shows it."""
        self._cursor = cursor

    def grabFramebuffer(self) -> QImage:
        """Return the picture, as Qt's widget does."""
        if self.grab is None:
            raise RuntimeError("the canvas is not complete")
        rgba = self.grab()
        height, width = rgba.shape[:2]
        # A copy: Qt only looks at the bytes.
        picture: QImage = QImage(rgba.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
        return picture

    def deleteLater(self) -> None:
        """Say good-bye at once: there is no widget to delete."""
        self.destroyed.emit()


class SplitScene:
    """Has a vispy canvas draw its scene without some nodes, and some of them over it when asked. Owner: render thread.

    `apart` returns the nodes to leave out, with all that hangs on them. Nothing in the scene is
    changed for it, so that no draw asks for another.
    """

    def __init__(self, canvas: SceneCanvas, apart: Callable[[], Collection[Node]]) -> None:
        self._canvas = canvas
        self._apart = apart
        self._whole_order = canvas._generate_draw_order
        canvas._generate_draw_order = self._order
        self._over = Node(name="drawn over the picture")

    def draw_over(self, nodes: Collection[Node]) -> None:
        """Draw nodes of the scene over the picture that was drawn last."""
        self._canvas._draw_order[self._over] = split_draw_order(self._whole_order(), nodes, inside=True)
        # Nothing of the scene may hide them: in a window it has no depth either.
        self._canvas.context.clear(color=False, depth=True)
        self._canvas.draw_visual(self._over)
        self._canvas.context.flush_commands()

    def _order(self, node: Node | None = None) -> list[tuple[Node, bool]]:
        order: list[tuple[Node, bool]] = self._whole_order(node)
        # vispy asks for every child again: the root's order is the one that it draws by.
        return order if node is not None else split_draw_order(order, self._apart(), inside=False)


class _ApplicationBackend(BaseApplicationBackend):
    """An event loop that is somebody else's: the render loop draws and pumps Qt."""

    def _vispy_get_backend_name(self) -> str:
        return "napari-cuda"

    def _vispy_process_events(self) -> None: ...

    def _vispy_run(self) -> None: ...

    def _vispy_quit(self) -> None: ...


class HeadlessApp(Application):
    """The vispy application to give to a canvas as `app=`; vispy's default one stays Qt's.

    Timers are vispy's default application's, so they run on the pumped Qt loop.
    """

    def __init__(self, gl: EglContext) -> None:
        self._gl = gl
        super().__init__()

    def _use(self, backend_name: str | None = None) -> None:
        self._backend_module = SimpleNamespace(
            capability=_CAPABILITY, CanvasBackend=functools.partial(CanvasBackend, gl=self._gl)
        )
        self._backend = _ApplicationBackend()
