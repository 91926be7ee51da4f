"""An OpenGL context without a display: EGL on a GPU, or on Mesa's software rasteriser.

Bound with ctypes, so that a missing library is one clear error and not a failed import, and
so that this module may be imported before the process is set up.
"""

from __future__ import annotations

import ctypes
import enum
import functools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from napari_cuda.protocol.errors import StartupError
from napari_cuda.settings import GlDevice

log = logging.getLogger(__name__)

_INSTALL = (
    "install the GPU driver's EGL library, or Mesa's software renderer"
    " (Debian, Ubuntu: apt install libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri)"
)

# From EGL/egl.h, EGL/eglext.h and GL/gl.h.
_NONE = 0x3038
_EXTENSIONS = 0x3055
_OPENGL_API = 0x30A2
_SURFACE_TYPE, _PBUFFER_BIT = 0x3033, 0x0001
_RENDERABLE_TYPE, _OPENGL_BIT = 0x3040, 0x0008
_RED_SIZE, _GREEN_SIZE, _BLUE_SIZE = 0x3024, 0x3023, 0x3022
_WIDTH, _HEIGHT = 0x3057, 0x3056
_PLATFORM_DEVICE = 0x313F
_PLATFORM_SURFACELESS = 0x31DD
_GL_VENDOR, _GL_RENDERER = 0x1F00, 0x1F01
_MAX_DEVICES = 32
_SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swrast", "swr ", "software", "lavapipe")

_Ptr = ctypes.c_void_p
_Int = ctypes.c_int
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "eglGetError": (_Int, []),
    "eglGetProcAddress": (_Ptr, [ctypes.c_char_p]),
    "eglQueryString": (ctypes.c_char_p, [_Ptr, _Int]),
    "eglInitialize": (_Int, [_Ptr, _Ptr, _Ptr]),
    "eglBindAPI": (_Int, [_Int]),
    "eglChooseConfig": (_Int, [_Ptr, _Ptr, _Ptr, _Int, _Ptr]),
    "eglCreateContext": (_Ptr, [_Ptr, _Ptr, _Ptr, _Ptr]),
    "eglCreatePbufferSurface": (_Ptr, [_Ptr, _Ptr, _Ptr]),
    "eglMakeCurrent": (_Int, [_Ptr, _Ptr, _Ptr, _Ptr]),
    "eglDestroySurface": (_Int, [_Ptr, _Ptr]),
    "eglDestroyContext": (_Int, [_Ptr, _Ptr]),
    "eglReleaseThread": (_Int, []),
}
_EXTENSION_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "eglQueryDevicesEXT": (_Int, [_Int, _Ptr, _Ptr]),
    "eglQueryDeviceStringEXT": (ctypes.c_char_p, [_Ptr, _Int]),
    "eglGetPlatformDisplayEXT": (_Ptr, [_Int, _Ptr, _Ptr]),
}


class DeviceKind(enum.StrEnum):
    """How a device is reached; in the order in which `auto` tries them."""

    HARDWARE = "hardware"
    """A GPU that EGL lists."""
    SURFACELESS = "surfaceless"
    """Mesa's own choice without a display: a GPU if it may use one, else software."""
    SOFTWARE = "software"
    """Mesa's software device."""


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What `probe_devices` found: a device that renders, or (`error`) why it does not."""

    kind: DeviceKind
    name: str
    renderer: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A device to try. `handle` is its EGLDeviceEXT; None for surfaceless."""

    kind: DeviceKind
    name: str
    handle: int | None = None


class _RefusedError(Exception):
    """One device does not do; the text says why."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A device that answered, with its context current on this thread."""

    kind: DeviceKind
    display: int
    context: int
    surface: int | None
    renderer: str
    vendor: str

    @property
    def software(self) -> bool:
        return any(word in self.renderer.lower() for word in _SOFTWARE_RENDERERS)

    def close(self) -> None:
        egl = _egl()
        egl.eglMakeCurrent(self.display, None, None, None)
        if self.surface:
            egl.eglDestroySurface(self.display, self.surface)
        egl.eglDestroyContext(self.display, self.context)
        egl.eglReleaseThread()
        # The display is not terminated: it is one per process and device, others may use it.


class EglContext:
    """An OpenGL context with no window. Owner: the thread that makes it, the render thread.

    `renderer` and `vendor` are OpenGL's own words; `software` is True if the CPU renders;
    `device_kind` says which way in worked.
    """

    def __init__(self, device: GlDevice = "auto") -> None:
        """Open the first device that works, of the kind asked for, and make it current.

        Raises StartupError, one line with the reason for each device, if none works.
        """
        self._opened = _open_first(device)
        self.device_kind = self._opened.kind
        self.renderer = self._opened.renderer
        self.vendor = self._opened.vendor
        self.software = self._opened.software
        self._closed = False
        log.info("OpenGL renders on %s (%s, %s)", self.renderer, self.vendor, self.device_kind)

    def make_current(self) -> None:
        """Bind the context to the calling thread. Raises StartupError if another thread holds it."""
        opened = self._opened
        if not _egl().eglMakeCurrent(opened.display, opened.surface, opened.surface, opened.context):
            raise StartupError(f"the OpenGL context cannot be made current ({_error()}); does another thread hold it?")

    def close(self) -> None:
        """Destroy the context. Call last, on the owning thread; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._opened.close()


def require_egl() -> None:
    """Raise StartupError, one line, if the EGL library is missing. Call before napari is imported."""
    _egl()


def probe_devices() -> list[DeviceReport]:
    """Try every device and report on each. Owner: a thread without a context; for `doctor`.

    Raises StartupError if the EGL library is missing.
    """
    reports = []
    for candidate in _candidates():
        try:
            opened = _open(candidate)
        except _RefusedError as error:
            reports.append(DeviceReport(candidate.kind, candidate.name, error=str(error)))
            continue
        reports.append(DeviceReport(candidate.kind, candidate.name, renderer=opened.renderer))
        opened.close()
    return reports


def _open_first(device: GlDevice) -> _Opened:
    """Return the first device of that kind that renders, or raise StartupError."""
    reasons = []
    for candidate in _candidates():
        if device not in ("auto", candidate.kind):
            continue
        try:
            opened = _open(candidate)
        except _RefusedError as error:
            reasons.append(f"{candidate.name}: {error}")
            continue
        if candidate.kind is not DeviceKind.HARDWARE or not opened.software:
            return opened
        # Mesa answers for a GPU it cannot drive; another device may be the real one.
        reasons.append(f"{candidate.name}: renders in software ({opened.renderer})")
        opened.close()
    wanted = "device" if device == "auto" else f"device of kind {device!r} (NAPARI_CUDA_GL_DEVICE)"
    found = "; ".join(reasons) or "EGL lists none"
    raise StartupError(f"no EGL {wanted} can render: {found}; {_INSTALL}")


def _open(candidate: _Candidate) -> _Opened:
    """Open a device and make its context current, or raise _RefusedError."""
    egl = _egl()
    display = _open_display(candidate)
    context, surface = _create_context(display)
    address = egl.eglGetProcAddress(b"glGetString")
    if not egl.eglMakeCurrent(display, surface, surface, context) or not address:
        reason = f"its context cannot be made current ({_error()})" if address else "it has no OpenGL functions"
        egl.eglDestroyContext(display, context)
        raise _RefusedError(reason)
    get_string = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_uint)(address)
    return _Opened(
        kind=candidate.kind,
        display=display,
        context=context,
        surface=surface,
        renderer=_text(get_string(_GL_RENDERER)),
        vendor=_text(get_string(_GL_VENDOR)),
    )


@functools.cache
def _egl() -> Any:
    """Return libEGL with typed functions, or raise StartupError."""
    try:
        library = ctypes.CDLL("libEGL.so.1")
    except OSError:
        raise StartupError(f"libEGL.so.1 is missing, and rendering without a display needs it; {_INSTALL}") from None
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


@functools.cache
def _extension(name: str) -> Callable[..., Any]:
    """Return an EGL extension function, or raise _RefusedError."""
    address = _egl().eglGetProcAddress(name.encode())
    if not address:
        raise _RefusedError(f"this EGL has no {name}")
    result, arguments = _EXTENSION_SIGNATURES[name]
    return ctypes.CFUNCTYPE(result, *arguments)(address)


def _candidates() -> Iterator[_Candidate]:
    """Yield the devices to try: GPUs, surfaceless, software."""
    listed = list(_listed_devices())
    yield from (device for device in listed if device.kind is DeviceKind.HARDWARE)
    yield _Candidate(DeviceKind.SURFACELESS, "surfaceless")
    yield from (device for device in listed if device.kind is DeviceKind.SOFTWARE)


def _listed_devices() -> Iterator[_Candidate]:
    """Yield the devices that EGL enumerates; none if it cannot enumerate."""
    try:
        query_devices, query_string = _extension("eglQueryDevicesEXT"), _extension("eglQueryDeviceStringEXT")
    except _RefusedError:
        return
    handles = (_Ptr * _MAX_DEVICES)()
    count = _Int(0)
    if not query_devices(_MAX_DEVICES, handles, ctypes.byref(count)):
        return
    for index, handle in enumerate(handles[: count.value]):
        extensions = _text(query_string(handle, _EXTENSIONS)).split()
        kind = DeviceKind.SOFTWARE if "EGL_MESA_device_software" in extensions else DeviceKind.HARDWARE
        yield _Candidate(kind, f"EGL device {index}", handle)


def _open_display(candidate: _Candidate) -> int:
    """Return the initialised EGLDisplay of a device, or raise _RefusedError."""
    platform = _PLATFORM_SURFACELESS if candidate.handle is None else _PLATFORM_DEVICE
    display = _extension("eglGetPlatformDisplayEXT")(platform, candidate.handle, None)
    if not display:
        raise _RefusedError(f"no display ({_error()})")
    if not _egl().eglInitialize(display, None, None):
        raise _RefusedError(f"cannot be initialised ({_error()})")
    return int(display)


def _create_context(display: int) -> tuple[int, int | None]:
    """Return (context, 1x1 pbuffer or None for surfaceless) on a display, or raise _RefusedError."""
    egl = _egl()
    if not egl.eglBindAPI(_OPENGL_API):
        raise _RefusedError(f"has no desktop OpenGL ({_error()})")
    config, count, with_pbuffer = _Ptr(), _Int(0), False
    for surface_type in (_PBUFFER_BIT, 0):
        wanted = (_SURFACE_TYPE, surface_type, _RENDERABLE_TYPE, _OPENGL_BIT)
        attributes = _attributes(*wanted, _RED_SIZE, 8, _GREEN_SIZE, 8, _BLUE_SIZE, 8)
        egl.eglChooseConfig(display, attributes, ctypes.byref(config), 1, ctypes.byref(count))
        if count.value:
            with_pbuffer = bool(surface_type)
            break
    else:
        raise _RefusedError("has no configuration for OpenGL")
    context = egl.eglCreateContext(display, config, None, _attributes())
    if not context:
        raise _RefusedError(f"no OpenGL context ({_error()})")
    surface = None
    if with_pbuffer:
        # Never drawn to (we have our own framebuffer): some drivers need one to be current.
        surface = egl.eglCreatePbufferSurface(display, config, _attributes(_WIDTH, 1, _HEIGHT, 1))
    return int(context), int(surface) if surface else None


def _attributes(*pairs: int) -> ctypes.Array[ctypes.c_int]:
    return (_Int * (len(pairs) + 1))(*pairs, _NONE)


def _error() -> str:
    return f"EGL error {_egl().eglGetError():#06x}"


def _text(value: bytes | None) -> str:
    return value.decode("utf-8", "replace") if value else ""
