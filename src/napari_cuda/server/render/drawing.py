"""Drawing: the frames of the scene, each in as much detail as is wanted and the machine affords."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from napari_cuda.protocol.digest import picture_hash
from napari_cuda.server.frames import BufferPool, Overlaid, PixelBuffer, RenderedFrame
from napari_cuda.server.metrics import ServerMetrics
from napari_cuda.server.render.bands import TARGET_S, Bands
from napari_cuda.server.render.detail import Detail, DetailController
from napari_cuda.server.render.napari_adapter import HeadlessCanvas
from napari_cuda.view import Rendering

_Look = tuple[int, int | None, tuple[int, int]]


def _look(frame: RenderedFrame) -> _Look:
    """Return what tells a frame from others that look otherwise to any viewer."""
    overlaid = None if frame.overlaid is None else frame.overlaid.picture_hash
    return frame.picture_hash, overlaid, frame.picture_size


class Drawing:
    """Owner: render thread."""

    def __init__(
        self, canvas: HeadlessCanvas, rendering: Rendering, metrics: ServerMetrics, *, reduce_detail: bool
    ) -> None:
        """Draw `canvas` as `rendering` says; with `reduce_detail` less of what moves if that takes too long."""
        self._canvas = canvas
        self._rendering = rendering
        self._metrics = metrics
        self._detail = DetailController(reduces=reduce_detail)
        self._pool = BufferPool()
        self._bands: Bands | None = None
        self._bands_began_s = 0.0
        self._moved: _Look | None = None
        self._rested: RenderedFrame | None = None
        rendering.events.connect(self._on_rendering)

    def moving(self, revision: int, input_ids: Mapping[str, int], *, overlays: bool, margin: int = 0) -> RenderedFrame:
        """Draw a frame of what moves, with a second picture of it for those who draw no `overlays` if there are any.

        It shows `margin` logical pixels around the canvas, where these overlays have no place: not both.
        """
        self._bands = None  # of a picture that is no more
        began_s = time.monotonic()
        volume = self._canvas.has_volume()
        detail, full = (self._detail.choose(moving=moving, volume=volume) for moving in (True, False))
        self._set_detail(detail, exact=False)
        with self._canvas.enlarged(margin):
            buffer = self._pool.acquire(*self._canvas.physical_size_px)
            self._canvas.draw_into(buffer.rgba)
        draw_s = time.monotonic() - began_s
        self._metrics.observe("render", draw_s)
        if volume:
            self._detail.observe(detail, draw_s)
        frame = self._frame(buffer, began_s, revision, input_ids, overlays=overlays)
        return self._as_rested(
            replace(
                frame,
                full_detail=detail == full,
                # With hundreds of layers a second draw holds input up for longer than that pixel is worth.
                exact=self._canvas.drew_exactly or self._canvas.has_many_layers,
                margin=round(margin * self._canvas.pixel_ratio),
            )
        )

    def _as_rested(self, frame: RenderedFrame) -> RenderedFrame:
        """Return a frame of what moves; if it looks as the one that came to rest, with the exact picture of that.

        Else each draw that changes nothing would have that pixel in a hundred thousand sent, and then taken back.
        """
        look = _look(frame)
        if look != self._moved:
            self._moved, self._rested = look, None
        rested = self._rested
        if rested is None or frame.exact or frame.margin or not frame.full_detail:
            return frame
        if (rested.overlaid is None) != (frame.overlaid is None):
            return frame  # who wants overlays came or went meanwhile
        return replace(frame, buffer=rested.buffer, picture_hash=rested.picture_hash, overlaid=rested.overlaid)

    def resting(self, revision: int, input_ids: Mapping[str, int], *, overlays: bool) -> RenderedFrame | None:
        """Draw a band of the frame of what rests, in full detail: None, or with the last of them the frame.

        Before the first there may be shaders to link: with hundreds of layers that takes a second. Each pixel is as
        stock napari's. To be called until it returns one, unless something changes: `moving` gives
        up what was drawn.
        """
        began_s = time.monotonic()
        if self._bands is None:
            if not self._canvas.prepare_exact(TARGET_S):
                return None
            volume = self._canvas.has_volume()
            self._set_detail(self._detail.choose(moving=False, volume=volume), exact=True)
            self._bands = Bands(self._canvas.physical_size_px[1], whole=not volume)
            self._bands_began_s = began_s
        self._canvas.draw_rows(*self._bands.next())
        band_s = time.monotonic() - began_s
        self._metrics.observe("render_band", band_s)
        self._bands.drawn(band_s)
        if not self._bands.done:
            return None
        self._bands = None
        buffer = self._pool.acquire(*self._canvas.physical_size_px)
        self._canvas.read_into(buffer.rgba)
        self._rested = self._frame(buffer, self._bands_began_s, revision, input_ids, overlays=overlays)
        return self._rested

    def _frame(
        self, buffer: PixelBuffer, began_s: float, revision: int, input_ids: Mapping[str, int], *, overlays: bool
    ) -> RenderedFrame:
        """Return the frame of what was drawn last and read into `buffer`."""
        overlaid = None
        if overlays and self._canvas.has_overlays:
            over = self._pool.acquire(*self._canvas.physical_size_px)
            self._canvas.draw_overlays_into(over.rgba)
            overlaid = Overlaid(over, picture_hash(over.rgba))
        return RenderedFrame(
            buffer=buffer,
            canvas_size=self._canvas.full_size_px,
            revision=revision,
            camera=self._canvas.camera_pose().magnified(self._canvas.pixel_ratio),
            capture_time_us=int(began_s * 1e6),
            picture_hash=picture_hash(buffer.rgba),
            sharp_color=self._canvas.has_sharp_color(),
            input_ids=input_ids,
            overlaid=overlaid,
        )

    def lacks_overlays(self, frame: RenderedFrame) -> bool:
        """Return whether there are overlays, and `frame` was drawn for windows only."""
        return frame.overlaid is None and self._canvas.has_overlays

    def _set_detail(self, detail: Detail, *, exact: bool) -> None:
        self._canvas.set_pixel_ratio(self._rendering.pixel_ratio)
        self._canvas.set_detail(detail, exact=exact)

    def _on_rendering(self) -> None:
        self._detail.quality = self._rendering.quality
        self._detail.volume_step = self._rendering.volume_step
        self._canvas.detail_at_rest = self._detail.at_rest
        self._canvas.request_draw()
