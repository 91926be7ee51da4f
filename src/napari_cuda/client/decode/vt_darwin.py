"""VideoToolbox through libavcodec, and its IOSurfaces as OpenGL textures: all that is macOS only.

Never run by its authors, who have no Mac: written from libavcodec's source and Apple's
documentation. A mistake here shows as DecoderUnavailableError or StreamError, and software decodes.
"""

from __future__ import annotations

import ctypes
import platform
from functools import cache
from typing import Any

import av
from av.plane import Plane

from napari_cuda.client.decode.hardware import HardwareDecoder
from napari_cuda.client.decode.live import DecoderConfig, DecoderUnavailableError, LiveDecoder
from napari_cuda.client.playout.surface import Surface, SurfaceKind
from napari_cuda.protocol.errors import StreamError

# libavcodec puts the CVPixelBufferRef there (libavutil/pixfmt.h, AV_PIX_FMT_VIDEOTOOLBOX).
_PIXEL_BUFFER_PLANE = 3

_GL_TEXTURE_RECTANGLE = 0x84F5
_GL_UNSIGNED_BYTE = 0x1401
# (internal format, format) of luma and of interleaved chroma: R8, RED and RG8, RG.
_PLANE_FORMATS = ((0x8229, 0x1903), (0x822B, 0x8227))

# Pointers and sizes do not fit what ctypes expects of a function, a C int.
_RESULTS: dict[str, dict[str, Any]] = {
    "CoreVideo": {"CVPixelBufferGetIOSurface": ctypes.c_void_p},
    "IOSurface": {"IOSurfaceGetWidthOfPlane": ctypes.c_size_t, "IOSurfaceGetHeightOfPlane": ctypes.c_size_t},
    "OpenGL": {"CGLGetCurrentContext": ctypes.c_void_p},
}


def open_videotoolbox(config: DecoderConfig) -> LiveDecoder:
    """Return a decoder whose surfaces are NV12; `handle` is the IOSurfaceRef, held by the surface.

    Raises DecoderUnavailableError anywhere but on macOS.
    """
    if platform.system() != "Darwin":
        raise DecoderUnavailableError("videotoolbox does not open: it is part of macOS")
    return HardwareDecoder(config, "videotoolbox", SurfaceKind.IOSURFACE, _io_surface)


class IOSurfaceBinder:
    """A SurfaceBinder for `SurfaceKind.IOSURFACE`. Owner: GUI thread, with the canvas's context current."""

    rectangle = True

    def bind(self, surface: Surface, plane: int, texture: int) -> None:
        """Have the bound rectangle texture show plane 0 or 1, without a copy. Raises StreamError."""
        graphics, surfaces = _framework("OpenGL"), _framework("IOSurface")
        width = surfaces.IOSurfaceGetWidthOfPlane(ctypes.c_void_p(surface.handle), ctypes.c_size_t(plane))
        height = surfaces.IOSurfaceGetHeightOfPlane(ctypes.c_void_p(surface.handle), ctypes.c_size_t(plane))
        internal_format, pixel_format = _PLANE_FORMATS[plane]
        error = graphics.CGLTexImageIOSurface2D(
            ctypes.c_void_p(graphics.CGLGetCurrentContext()),
            ctypes.c_uint32(_GL_TEXTURE_RECTANGLE),
            ctypes.c_uint32(internal_format),
            ctypes.c_int32(width),
            ctypes.c_int32(height),
            ctypes.c_uint32(pixel_format),
            ctypes.c_uint32(_GL_UNSIGNED_BYTE),
            ctypes.c_void_p(surface.handle),
            ctypes.c_uint32(plane),
        )
        if error:
            raise StreamError(f"OpenGL cannot show a decoded surface (CGL error {error})")


def _io_surface(frame: av.VideoFrame) -> int:
    """Return the IOSurfaceRef of a decoded frame, which keeps it alive. Raises StreamError."""
    pixel_buffer = Plane(frame, _PIXEL_BUFFER_PLANE).buffer_ptr
    surface: int | None = None
    if pixel_buffer:
        surface = _framework("CoreVideo").CVPixelBufferGetIOSurface(ctypes.c_void_p(pixel_buffer))
    if not surface:
        raise StreamError("VideoToolbox gave a picture that no other part of macOS can show")
    return surface


@cache
def _framework(name: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(f"/System/Library/Frameworks/{name}.framework/{name}")
    except OSError as error:
        raise StreamError(f"macOS' {name} framework cannot be loaded: {error}") from error
    for function, result in _RESULTS.get(name, {}).items():
        getattr(library, function).restype = result
    return library
