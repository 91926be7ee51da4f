"""Textures, programs and fences of one OpenGL context, and its state kept for vispy.

Owner: GUI thread, with the context current.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from OpenGL import GL

from napari_cuda.client.control.placement import Rect
from napari_cuda.client.playout.picture import Plane
from napari_cuda.client.qt import yuv_shader
from napari_cuda.protocol.errors import StartupError, StreamError

Size = tuple[int, int]

# What vispy's visuals set for themselves once and then expect to find again.
_CAPABILITIES = (GL.GL_DEPTH_TEST, GL.GL_BLEND, GL.GL_CULL_FACE, GL.GL_SCISSOR_TEST, GL.GL_STENCIL_TEST)
_CORNER = 0


class Texture:
    """A texture of 8-bit samples that takes the size of what is uploaded. Owner: GUI thread."""

    def __init__(self, formats: tuple[int, int, int], *, rectangle: bool = False) -> None:
        self._internal_format, self._pixel_format, self._channels = formats
        self.target = GL.GL_TEXTURE_RECTANGLE if rectangle else GL.GL_TEXTURE_2D
        self._size: Size = (0, 0)
        self._smooth: bool | None = None
        self.name = int(GL.glGenTextures(1))
        GL.glBindTexture(self.target, self.name)
        for edge in (GL.GL_TEXTURE_WRAP_S, GL.GL_TEXTURE_WRAP_T):
            GL.glTexParameteri(self.target, edge, GL.GL_CLAMP_TO_EDGE)

    def checked(self, rows: Plane, size: Size) -> Plane:
        """Return `rows`, (height, bytes) uint8, as OpenGL can walk them; StreamError if they do not hold `size`."""
        width, height = size
        row_bytes = width * self._channels
        if rows.ndim != 2 or rows.dtype != np.uint8 or rows.shape[0] < height or rows.shape[1] < row_bytes:
            raise StreamError(
                f"a decoded plane is {rows.dtype} {rows.shape}; {height} rows of {row_bytes} bytes were announced"
            )
        row_stride, sample_stride = rows.strides
        if sample_stride != 1 or row_stride < row_bytes or row_stride % self._channels:
            return np.ascontiguousarray(rows[:height, :row_bytes])  # a bottom-up frame, for one
        return rows

    def upload(self, rows: Plane, size: Size) -> None:
        """Take the top left `size` pixels of `checked` rows; copies nothing on the CPU."""
        self.allocate(size)
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
        GL.glPixelStorei(GL.GL_UNPACK_ROW_LENGTH, rows.strides[0] // self._channels)
        try:
            address = ctypes.c_void_p(rows.ctypes.data)
            GL.glTexSubImage2D(self.target, 0, 0, 0, *size, self._pixel_format, GL.GL_UNSIGNED_BYTE, address)
        finally:
            # vispy uploads with the defaults.
            GL.glPixelStorei(GL.GL_UNPACK_ROW_LENGTH, 0)
            GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 4)

    def allocate(self, size: Size) -> None:
        """Bind it, with room for (width, height) pixels; their contents are lost if the size is new."""
        GL.glBindTexture(self.target, self.name)
        if size != self._size:
            GL.glTexImage2D(
                self.target, 0, self._internal_format, *size, 0, self._pixel_format, GL.GL_UNSIGNED_BYTE, None
            )
            self._size = size

    def use(self, unit: int, *, smooth: bool) -> None:
        """Bind to a texture unit, sampled linearly or as exact pixels."""
        GL.glActiveTexture(GL.GL_TEXTURE0 + unit)
        GL.glBindTexture(self.target, self.name)
        if smooth is not self._smooth:
            sampling = GL.GL_LINEAR if smooth else GL.GL_NEAREST
            GL.glTexParameteri(self.target, GL.GL_TEXTURE_MIN_FILTER, sampling)
            GL.glTexParameteri(self.target, GL.GL_TEXTURE_MAG_FILTER, sampling)
            self._smooth = smooth

    def delete(self) -> None:
        """Free the texture."""
        GL.glDeleteTextures(1, [self.name])


class Program:
    """A linked shader program and where its uniforms are. Owner: GUI thread."""

    def __init__(self, fragment: str, planes: int) -> None:
        self._name = GL.glCreateProgram()
        shaders = [_compile(GL.GL_VERTEX_SHADER, yuv_shader.VERTEX), _compile(GL.GL_FRAGMENT_SHADER, fragment)]
        for shader in shaders:
            GL.glAttachShader(self._name, shader)
        GL.glBindAttribLocation(self._name, _CORNER, "corner")
        GL.glLinkProgram(self._name)
        for shader in shaders:
            GL.glDeleteShader(shader)
        if not GL.glGetProgramiv(self._name, GL.GL_LINK_STATUS):
            raise _refused("link", GL.glGetProgramInfoLog(self._name))
        self._locations: dict[str, int] = {}
        self._values: dict[str, tuple[float, ...]] = {}
        GL.glUseProgram(self._name)
        for unit in range(planes):
            GL.glUniform1i(self._location(f"plane_{unit}"), unit)

    def use(self) -> None:
        """Make it the current program."""
        GL.glUseProgram(self._name)

    def set(self, uniform: str, *values: float) -> None:
        """Set a vec3, a vec4 or (9 values, row by row) a mat3 of the current program; costs nothing if unchanged."""
        if self._values.get(uniform) == values:
            return
        self._values[uniform] = values
        location = self._location(uniform)
        if len(values) == 9:
            GL.glUniformMatrix3fv(location, 1, True, np.array(values, np.float32))
        else:
            (GL.glUniform4f if len(values) == 4 else GL.glUniform3f)(location, *values)

    def delete(self) -> None:
        """Free the program."""
        GL.glDeleteProgram(self._name)

    def _location(self, uniform: str) -> int:
        if uniform not in self._locations:
            self._locations[uniform] = GL.glGetUniformLocation(self._name, uniform)
        return self._locations[uniform]


class Triangle:
    """The one triangle that covers the viewport. Owner: GUI thread.

    Where OpenGL has vertex arrays (3.0), it has one of its own: what vispy left enabled, has deleted the vertices
    of, or steps through once per instance is not read here, and nothing here is found by vispy.
    """

    def __init__(self, gl_version: tuple[int, int]) -> None:
        self._array = int(GL.glGenVertexArrays(1)) if gl_version >= (3, 0) else 0
        self._vertices = int(GL.glGenBuffers(1))
        corners = np.array(yuv_shader.TRIANGLE, np.float32)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._vertices)
        GL.glBufferData(GL.GL_ARRAY_BUFFER, corners.nbytes, corners, GL.GL_STATIC_DRAW)
        if self._array:
            GL.glBindVertexArray(self._array)
            self._point_to_vertices()
            GL.glBindVertexArray(0)

    def draw(self) -> None:
        """Run the current program for every pixel of the viewport."""
        if self._array:
            GL.glBindVertexArray(self._array)
            GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)
            GL.glBindVertexArray(0)
        else:
            GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._vertices)
            self._point_to_vertices()
            GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)
            GL.glDisableVertexAttribArray(_CORNER)

    def delete(self) -> None:
        """Free the vertices."""
        if self._array:
            GL.glDeleteVertexArrays(1, [self._array])
        GL.glDeleteBuffers(1, [self._vertices])

    def _point_to_vertices(self) -> None:
        GL.glEnableVertexAttribArray(_CORNER)
        GL.glVertexAttribPointer(_CORNER, 2, GL.GL_FLOAT, False, 0, ctypes.c_void_p(0))
        if GL.glVertexAttribDivisor:
            GL.glVertexAttribDivisor(_CORNER, 0)


class Fence:
    """Tells when the GPU has done what was asked of it so far. Owner: GUI thread.

    Without fences (before OpenGL 3.2) it waits right here until the GPU has.
    """

    def __init__(self) -> None:
        self._sync: Any = None
        if fences_supported():
            self._sync = GL.glFenceSync(GL.GL_SYNC_GPU_COMMANDS_COMPLETE, 0)
            GL.glFlush()  # a fence that is still in our own queue never comes
        else:
            GL.glFinish()

    def passed(self) -> bool:
        """Return True once, when the GPU has got there; the fence is gone then. Does not wait."""
        if self._sync is not None:
            if GL.glClientWaitSync(self._sync, 0, 0) == GL.GL_TIMEOUT_EXPIRED:
                return False
            GL.glDeleteSync(self._sync)
            self._sync = None
        return True


def fences_supported() -> bool:
    """Return whether the current context has fences."""
    return bool(GL.glFenceSync)


def single_channel_format(gl_version: tuple[int, int]) -> tuple[int, int, int]:
    """Return (internal format, pixel format, channels) of a texture whose red is the sample.

    OpenGL 2 has no red textures; luminance answers `.r` just the same.
    """
    if gl_version >= (3, 0):
        return GL.GL_R8, GL.GL_RED, 1
    return GL.GL_LUMINANCE8, GL.GL_LUMINANCE, 1


def gl_version() -> tuple[int, int]:
    """Return (major, minor) of the current context; StartupError if there is none."""
    text = (GL.glGetString(GL.GL_VERSION) or b"").decode("ascii", "replace")
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is None:
        raise StartupError("no OpenGL context is current while the video is drawn: the canvas was not ready")
    return int(found[1]), int(found[2])


@contextmanager
def state_kept() -> Iterator[None]:
    """Run the body with plain drawing state and put back what vispy relies on, whatever happens.

    But for the program: none is current afterwards, and vispy has to be told. The one that was may have been deleted
    already. It is gone then as soon as another is used, and OpenGL may give its name away again.
    """
    with ExitStack() as undo:
        for capability in _CAPABILITIES:
            if GL.glIsEnabled(capability):
                undo.callback(GL.glEnable, capability)
                GL.glDisable(capability)
        undo.callback(GL.glUseProgram, 0)
        undo.callback(GL.glBindBuffer, GL.GL_ARRAY_BUFFER, 0)
        undo.callback(GL.glBindTexture, GL.GL_TEXTURE_2D, 0)
        undo.callback(GL.glActiveTexture, GL.GL_TEXTURE0)
        # With the depth test off nothing is written to the depth buffer either.
        GL.glActiveTexture(GL.GL_TEXTURE0)
        yield


@contextmanager
def clipped(rect_px: Rect | None, viewport_px: tuple[int, int, int, int]) -> Iterator[None]:
    """Have the body draw nothing outside a rectangle of the viewport, rounded to whole pixels; None: anywhere."""
    if rect_px is None:
        yield
        return
    before = GL.glGetIntegerv(GL.GL_SCISSOR_BOX)
    x, y, _width, height = viewport_px
    left, top = round(rect_px[0]), round(rect_px[1])
    right, bottom = round(rect_px[0] + rect_px[2]), round(rect_px[1] + rect_px[3])
    GL.glEnable(GL.GL_SCISSOR_TEST)
    GL.glScissor(x + left, y + height - bottom, right - left, bottom - top)
    try:
        yield
    finally:
        GL.glDisable(GL.GL_SCISSOR_TEST)
        GL.glScissor(*before)


def _compile(kind: int, source: str) -> int:
    shader = GL.glCreateShader(kind)
    GL.glShaderSource(shader, source.lstrip())
    GL.glCompileShader(shader)
    if not GL.glGetShaderiv(shader, GL.GL_COMPILE_STATUS):
        raise _refused("compile", GL.glGetShaderInfoLog(shader))
    return int(shader)


def _refused(step: str, log: Any) -> StartupError:
    text = log.decode("utf-8", "replace") if isinstance(log, bytes) else str(log)
    first = next(iter(text.splitlines()), "no reason given")
    return StartupError(f"the OpenGL driver cannot {step} the video shader ({first}): update the driver")
