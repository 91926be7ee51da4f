"""GLRenderer: draws one decoded picture into the current OpenGL context.

Owner: GUI thread.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from OpenGL import GL
from OpenGL.error import GLError

from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.picture import ExactPicture, Plane, YuvPicture
from napari_cuda.client.qt import yuv_shader
from napari_cuda.protocol.errors import StartupError, StreamError

Size = tuple[int, int]

# What vispy's visuals set for themselves once and then expect to find again.
_CAPABILITIES = (GL.GL_DEPTH_TEST, GL.GL_BLEND, GL.GL_CULL_FACE, GL.GL_SCISSOR_TEST, GL.GL_STENCIL_TEST)


class GLRenderer:
    """Uploads planes without converting them and draws them through the video shader.

    Owner: GUI thread. Everything on the GPU belongs to one context: a draw with another
    `context_id` starts afresh there, because the old context took its objects with it.
    """

    def __init__(self) -> None:
        self._context_id: int | None = None
        self._gpu: _GpuObjects | None = None
        self._picture: YuvPicture | ExactPicture | None = None
        self._picture_size: Size = (0, 0)
        self.uploads = 0

    def draw(
        self,
        frame: SubmittedFrame | None,
        viewport_px: tuple[int, int, int, int],
        context_id: int,
        destination_px: yuv_shader.Rect | None = None,
    ) -> bool:
        """Draw `frame` and return True; draw nothing and return False if there is none.

        `viewport_px` is (x, y, width, height) as in glViewport. `destination_px` is where the
        whole picture goes: (left, top, width, height) from the viewport's top left corner,
        fractions allowed; letterboxed if not given. What it does not cover becomes black.
        The picture must stay unchanged while it is shown: it is uploaded once.

        Raises StreamError if the planes do not match the header or OpenGL refuses them, and
        StartupError if the driver cannot compile the shader.
        """
        if frame is None or viewport_px[2] <= 0 or viewport_px[3] <= 0:
            return False
        size = _picture_size(frame)
        try:
            with _state_kept():
                gpu = self._objects(context_id)
                if frame.picture is not self._picture or size != self._picture_size:
                    self._upload(gpu, frame.picture, size)
                destination = destination_px or yuv_shader.letterbox(size, viewport_px[2:])
                gpu.draw(frame.picture, size, destination, viewport_px)
        except GLError as error:
            self._picture = None
            raise StreamError(f"OpenGL refused a {size[0]}x{size[1]} picture (error {error.err}): resize it") from error
        return True

    def close(self) -> None:
        """Free the GPU objects. Their context must be current; harmless when repeated."""
        if self._gpu is not None:
            self._gpu.delete()
        self._gpu = None
        self._context_id = None
        self._picture = None

    def _objects(self, context_id: int) -> _GpuObjects:
        if self._gpu is None or context_id != self._context_id:
            self._picture = None
            self._gpu = _GpuObjects(_gl_version())
            self._context_id = context_id
        return self._gpu

    def _upload(self, gpu: _GpuObjects, picture: YuvPicture | ExactPicture, size: Size) -> None:
        # Forgotten first: if an upload fails half way, the next draw starts it again.
        self._picture = None
        if isinstance(picture, ExactPicture):
            gpu.rgba.upload(picture.rgba.reshape(picture.rgba.shape[0], -1), size)
        else:
            chroma = yuv_shader.chroma_size(size, picture.chroma_shift)
            for texture, plane, plane_size in zip(
                gpu.yuv, (picture.y, picture.u, picture.v), (size, chroma, chroma), strict=True
            ):
                texture.upload(plane, plane_size)
        self._picture = picture
        self._picture_size = size
        self.uploads += 1


class _GpuObjects:
    """The programs, textures and vertices of one context. Owner: GUI thread."""

    def __init__(self, gl_version: tuple[int, int]) -> None:
        self._yuv_program = _Program(yuv_shader.FRAGMENT_YUV, planes=3)
        self._rgba_program = _Program(yuv_shader.FRAGMENT_RGBA, planes=1)
        self.yuv = tuple(_Texture(*single_channel_format(gl_version)) for _ in range(3))
        self.rgba = _Texture(GL.GL_RGBA8, GL.GL_RGBA, 4)
        self._vertices = GL.glGenBuffers(1)
        corners = np.array(yuv_shader.TRIANGLE, np.float32)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._vertices)
        GL.glBufferData(GL.GL_ARRAY_BUFFER, corners.nbytes, corners, GL.GL_STATIC_DRAW)

    def draw(
        self,
        picture: YuvPicture | ExactPicture,
        size: Size,
        destination: yuv_shader.Rect,
        viewport_px: tuple[int, int, int, int],
    ) -> None:
        """Draw the uploaded planes of `picture`."""
        sharp = yuv_shader.is_sharp(destination, size)
        if isinstance(picture, ExactPicture):
            program = self._rgba_program
            self.rgba.bind(0, smooth=not sharp)
            program.use()
        else:
            program = self._yuv_program
            subsampled = picture.chroma_shift != (0, 0)
            self.yuv[2].bind(2, smooth=subsampled or not sharp)
            self.yuv[1].bind(1, smooth=subsampled or not sharp)
            self.yuv[0].bind(0, smooth=not sharp)
            program.use()
            matrix, zero = yuv_shader.yuv_to_rgb(picture.color)
            program.set("to_chroma", *yuv_shader.chroma_map(size, picture.chroma_shift))
            program.set("yuv_zero", *zero)
            program.set_matrix("rgb_from_yuv", matrix)
        program.set("to_picture", *yuv_shader.picture_map(destination, viewport_px))
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._vertices)
        GL.glEnableVertexAttribArray(_CORNER)
        GL.glVertexAttribPointer(_CORNER, 2, GL.GL_FLOAT, False, 0, ctypes.c_void_p(0))
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)
        GL.glDisableVertexAttribArray(_CORNER)

    def delete(self) -> None:
        """Free everything in the current context."""
        for texture in (*self.yuv, self.rgba):
            texture.delete()
        self._yuv_program.delete()
        self._rgba_program.delete()
        GL.glDeleteBuffers(1, [self._vertices])


class _Texture:
    """A texture of 8-bit samples that takes the size of what is uploaded. Owner: GUI thread."""

    def __init__(self, internal_format: int, pixel_format: int, channels: int) -> None:
        self._formats = internal_format, pixel_format
        self._channels = channels
        self._size: Size = (0, 0)
        self._smooth: bool | None = None
        self._name = int(GL.glGenTextures(1))
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._name)
        for edge in (GL.GL_TEXTURE_WRAP_S, GL.GL_TEXTURE_WRAP_T):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, edge, GL.GL_CLAMP_TO_EDGE)

    def upload(self, rows: Plane, size: Size) -> None:
        """Take the top left `size` pixels of `rows`, (height, bytes) uint8; copies nothing on the CPU."""
        width, height = size
        row_bytes = width * self._channels
        if rows.ndim != 2 or rows.dtype != np.uint8 or rows.shape[0] < height or rows.shape[1] < row_bytes:
            raise StreamError(
                f"a decoded plane is {rows.dtype} {rows.shape}; {height} rows of {row_bytes} bytes were announced"
            )
        row_stride, sample_stride = rows.strides
        if sample_stride != 1 or row_stride < row_bytes or row_stride % self._channels:
            # OpenGL cannot walk such rows (a bottom-up frame, for one).
            rows = np.ascontiguousarray(rows[:height, :row_bytes])
            row_stride = row_bytes
        internal_format, pixel_format = self._formats
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._name)
        if size != self._size:
            GL.glTexImage2D(
                GL.GL_TEXTURE_2D, 0, internal_format, width, height, 0, pixel_format, GL.GL_UNSIGNED_BYTE, None
            )
            self._size = size
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
        GL.glPixelStorei(GL.GL_UNPACK_ROW_LENGTH, row_stride // self._channels)
        try:
            address = ctypes.c_void_p(rows.ctypes.data)
            GL.glTexSubImage2D(GL.GL_TEXTURE_2D, 0, 0, 0, width, height, pixel_format, GL.GL_UNSIGNED_BYTE, address)
        finally:
            # vispy uploads with the defaults.
            GL.glPixelStorei(GL.GL_UNPACK_ROW_LENGTH, 0)
            GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 4)

    def bind(self, unit: int, *, smooth: bool) -> None:
        """Bind to a texture unit, sampled linearly or as exact pixels."""
        GL.glActiveTexture(GL.GL_TEXTURE0 + unit)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._name)
        if smooth is not self._smooth:
            sampling = GL.GL_LINEAR if smooth else GL.GL_NEAREST
            GL.glTexParameteri(GL.GL_TEXTURE_2D, GL.GL_TEXTURE_MIN_FILTER, sampling)
            GL.glTexParameteri(GL.GL_TEXTURE_2D, GL.GL_TEXTURE_MAG_FILTER, sampling)
            self._smooth = smooth

    def delete(self) -> None:
        """Free the texture."""
        GL.glDeleteTextures(1, [self._name])


_CORNER = 0


class _Program:
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
        GL.glUseProgram(self._name)
        for unit in range(planes):
            GL.glUniform1i(self._location(f"plane_{unit}"), unit)

    def use(self) -> None:
        """Make it the current program."""
        GL.glUseProgram(self._name)

    def set(self, uniform: str, *values: float) -> None:
        """Set a vec3 or vec4 uniform of the current program."""
        setter = GL.glUniform4f if len(values) == 4 else GL.glUniform3f
        setter(self._location(uniform), *values)

    def set_matrix(self, uniform: str, rows: tuple[float, ...]) -> None:
        """Set a mat3 uniform of the current program from 9 values, row by row."""
        GL.glUniformMatrix3fv(self._location(uniform), 1, True, np.array(rows, np.float32))

    def delete(self) -> None:
        """Free the program."""
        GL.glDeleteProgram(self._name)

    def _location(self, uniform: str) -> int:
        if uniform not in self._locations:
            self._locations[uniform] = GL.glGetUniformLocation(self._name, uniform)
        return self._locations[uniform]


def single_channel_format(gl_version: tuple[int, int]) -> tuple[int, int, int]:
    """Return (internal format, pixel format, channels) of a texture whose red is the sample.

    OpenGL 2 has no red textures; luminance answers `.r` just the same.
    """
    if gl_version >= (3, 0):
        return GL.GL_R8, GL.GL_RED, 1
    return GL.GL_LUMINANCE8, GL.GL_LUMINANCE, 1


def _gl_version() -> tuple[int, int]:
    text = (GL.glGetString(GL.GL_VERSION) or b"").decode("ascii", "replace")
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is None:
        raise StartupError("no OpenGL context is current while the video is drawn: the canvas was not ready")
    return int(found[1]), int(found[2])


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


def _picture_size(frame: SubmittedFrame) -> Size:
    """Return the (width, height) to show, or raise StreamError if the picture lacks it."""
    if isinstance(frame.picture, ExactPicture):
        rgba = frame.picture.rgba
        if rgba.ndim != 3 or rgba.shape[2] != 4 or not rgba.flags.c_contiguous or 0 in rgba.shape:
            raise StreamError(f"an exact picture has shape {rgba.shape}; expected (height, width, 4), contiguous")
        return rgba.shape[1], rgba.shape[0]
    width, height = frame.header.canvas_size
    coded_width, coded_height = frame.header.coded_size
    if not (0 < width <= coded_width and 0 < height <= coded_height):
        raise StreamError(
            f"a {coded_width}x{coded_height} video picture cannot hold a {width}x{height} canvas: ask for a keyframe"
        )
    return width, height


@contextmanager
def _state_kept() -> Iterator[None]:
    """Run the body with plain drawing state and put back what vispy relies on."""
    program = GL.glGetIntegerv(GL.GL_CURRENT_PROGRAM)
    enabled = [capability for capability in _CAPABILITIES if GL.glIsEnabled(capability)]
    for capability in enabled:
        GL.glDisable(capability)
    try:
        # With the depth test off nothing is written to the depth buffer either.
        GL.glActiveTexture(GL.GL_TEXTURE0)
        yield
    finally:
        GL.glActiveTexture(GL.GL_TEXTURE0)
        GL.glBindTexture(GL.GL_TEXTURE_2D, 0)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, 0)
        GL.glUseProgram(program)
        for capability in enabled:
            GL.glEnable(capability)
