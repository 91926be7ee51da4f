"""Drawing: the frames of the scene, each in as much detail as is wanted and the machine affords."""

from __future__ import annotations

import time
from collections.abc import Mapping

from napari_cuda.protocol.digest import picture_hash
from napari_cuda.server.frames import BufferPool, Overlaid, RenderedFrame
from napari_cuda.server.metrics import ServerMetrics
from napari_cuda.server.render.detail import DetailController
from napari_cuda.server.render.napari_adapter import HeadlessCanvas
from napari_cuda.view import Rendering


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
        rendering.events.connect(self._on_rendering)

    def frame(self, revision: int, input_ids: Mapping[str, int], *, moving: bool, overlays: bool) -> RenderedFrame:
        """Draw a frame, with a second picture of it for those who draw no `overlays` if there are any."""
        canvas = self._canvas
        began_s = time.monotonic()
        volume = canvas.has_volume()
        detail = self._detail.choose(moving=moving, volume=volume)
        canvas.set_detail(detail.scale, detail.volume_step, detail.nearest)
        camera = canvas.camera_pose()
        size_px = canvas.physical_size_px
        buffer = self._pool.acquire(*size_px)
        canvas.draw_into(buffer.rgba)
        draw_s = time.monotonic() - began_s
        self._metrics.observe("render", draw_s)
        if volume:
            self._detail.observe(detail, draw_s)
        overlaid = None
        if overlays and canvas.has_overlays:
            over = self._pool.acquire(*size_px)
            canvas.draw_overlays_into(over.rgba)
            overlaid = Overlaid(over, picture_hash(over.rgba))
        return RenderedFrame(
            buffer=buffer,
            canvas_size=canvas.size_px,
            revision=revision,
            camera=camera,
            capture_time_us=int(began_s * 1e6),
            picture_hash=picture_hash(buffer.rgba),
            full_detail=detail == self._detail.choose(moving=False, volume=volume),
            input_ids=input_ids,
            overlaid=overlaid,
        )

    def lacks_overlays(self, frame: RenderedFrame) -> bool:
        """Return whether there are overlays, and `frame` was drawn for windows only."""
        return frame.overlaid is None and self._canvas.has_overlays

    def _on_rendering(self) -> None:
        self._detail.quality = self._rendering.quality
        self._detail.volume_step = self._rendering.volume_step
        self._canvas.request_draw()
