"""Two ways to a window: by VNC, and on the same machine by XTEST and the display's own memory.

Both have `sightings`: when which mark (see `stock_napari.py`) was seen, by a thread that looks all the time.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import mmap
import struct
import threading
import time
from pathlib import Path

import numpy as np
import xxhash
from rfb import RfbClient
from stock_napari import CELL_PX, CELLS, CORNER_PX, SIZE, number_of

from napari_cuda.worker import Worker

KEPT_EVERY_S = 0.5
MOST_KEPT = 8
_LOOK_EVERY_S = 0.0005


class Eye:
    """What was seen of the canvas, whose top left corner is at `corner` (x, y). Owner: the looking thread."""

    def __init__(self, corner: tuple[int, int]) -> None:
        self._x, self._y = corner
        self.sightings: list[tuple[float, int]] = []
        """(time, mark), whenever the mark is another."""
        self.kept: list[tuple[int, np.ndarray]] = []
        """(mark, canvas) of a few moving pictures, while `keeping`."""
        self.keeping = False
        self.rests: list[tuple[float, int]] = []
        """(time, hash of the canvas) at every look, while `resting`."""
        self.resting = False
        self._keep_from_s = 0.0

    def canvas(self, screen: np.ndarray) -> np.ndarray:
        """Return the canvas' part of a screen."""
        return screen[self._y : self._y + SIZE[1], self._x : self._x + SIZE[0], :3]

    def look(self, screen: np.ndarray) -> None:
        """Read the mark; remember it if it is new."""
        left, top = CORNER_PX
        canvas = self.canvas(screen)
        if self.resting:
            self.rests.append((time.perf_counter(), hash_of(canvas)))
        mark = number_of(canvas[top : top + CELL_PX, left : left + CELLS * CELL_PX])
        if self.sightings and self.sightings[-1][1] == mark:
            return
        now_s = time.perf_counter()
        self.sightings.append((now_s, mark))
        if self.keeping and now_s >= self._keep_from_s and len(self.kept) < MOST_KEPT:
            self._keep_from_s = now_s + KEPT_EVERY_S
            self.kept.append((mark, canvas.copy()))


def hash_of(canvas: np.ndarray) -> int:
    """Return a hash of a canvas' pixels."""
    return xxhash.xxh3_64_intdigest(np.ascontiguousarray(canvas))


class VncScreen:
    """A screen shown by a VNC server."""

    def __init__(self, port: int, corner: tuple[int, int], quality: int | None) -> None:
        self._client = RfbClient(port, quality=quality)
        self._port = port
        self._corner = corner
        self._pointer = (0, 0, False)
        self.eye = Eye(corner)
        self._worker = Worker("rfb", self._look, wake=self._client.close)
        self._worker.start()

    @property
    def received_bytes(self) -> int:
        """Bytes received so far."""
        return self._client.received_bytes

    def exact(self) -> np.ndarray:
        """Return the canvas that the server has, from its raw pixels."""
        client = RfbClient(self._port, quality=None, encodings=(), pointer=self._pointer)
        while not client.next_update():
            pass
        canvas = self.eye.canvas(client.framebuffer.rgb).copy()
        client.close()
        return canvas

    def point(self, x: int, y: int, *, pressed: bool) -> None:
        """Move the pointer to a place of the canvas."""
        self._pointer = (x + self._corner[0], y + self._corner[1], pressed)
        self._client.point(*self._pointer[:2], pressed=pressed)

    def key(self) -> None:
        """Press K and let it go."""
        self._client.key(ord("k"))

    def close(self) -> None:
        """Disconnect."""
        self._worker.stop()

    def _look(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                if self._client.next_update():
                    self.eye.look(self._client.framebuffer.rgb)
        except (OSError, ValueError):
            if not stop.is_set():
                raise


class LocalScreen:
    """The screen of an Xvfb with `-fbdir`: input by XTEST, the picture from the display's memory."""

    received_bytes = 0

    def __init__(self, display: str, framebuffer: Path, corner: tuple[int, int]) -> None:
        self._corner = corner
        self.eye = Eye(corner)
        self._screen = _mapped(framebuffer)
        self._x11, self._xtest = (ctypes.CDLL(ctypes.util.find_library(name)) for name in ("X11", "Xtst"))
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        self._display = ctypes.c_void_p(self._x11.XOpenDisplay(display.encode()))
        self._pressed = False
        self._worker = Worker("eye", self._look)
        self._worker.start()

    def exact(self) -> np.ndarray:
        """Return the canvas: it is shown as it is."""
        return self.eye.canvas(self._screen).copy()

    def point(self, x: int, y: int, *, pressed: bool) -> None:
        """Move the pointer to a place of the canvas."""
        self._xtest.XTestFakeMotionEvent(self._display, -1, x + self._corner[0], y + self._corner[1], 0)
        if pressed is not self._pressed:
            self._pressed = pressed
            self._xtest.XTestFakeButtonEvent(self._display, 1, int(pressed), 0)
        self._x11.XFlush(self._display)

    def key(self) -> None:
        """Press K and let it go."""
        code = self._x11.XKeysymToKeycode(self._display, ctypes.c_ulong(ord("k")))
        for down in (1, 0):
            self._xtest.XTestFakeKeyEvent(self._display, code, down, 0)
        self._x11.XFlush(self._display)

    def close(self) -> None:
        """Look no more."""
        self._worker.stop()
        self._x11.XCloseDisplay(self._display)

    def _look(self, stop: threading.Event) -> None:
        while not stop.wait(_LOOK_EVERY_S):
            self.eye.look(self._screen)


def _mapped(framebuffer: Path) -> np.ndarray:
    """Return the memory of an Xvfb screen as (h, w, 4) uint8, BGRX: it changes as the screen does."""
    with framebuffer.open("rb") as file:
        header = struct.unpack(">25I", file.read(100))
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    header_bytes, width, height, line_bytes, colors = header[0], header[4], header[5], header[12], header[19]
    offset = header_bytes + 12 * colors
    rows = np.frombuffer(memory, np.uint8, line_bytes * height, offset).reshape(height, line_bytes)
    return rows[:, : 4 * width].reshape(height, width, 4)
