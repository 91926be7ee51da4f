"""The desktop client without a server: napari's window, the loop, and real decoded pictures to show."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from gl_window import fix_canvas_size, frame_of, process_until, require_display
from napari_cuda.client.config import ClientConfig
from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.playout.frame import Picture
from napari_cuda.client.qt.window import QtHost, StreamedViewer
from napari_cuda.client.remote_session import RemoteSession
from napari_cuda.server.encode.h264 import H264Encoder
from pictures import Rgba


def decoded(pictures: Sequence[Rgba]) -> list[Picture]:
    """Return RGBA pictures as the client gets them: through the server's encoder and our decoder."""
    height, width = pictures[0].shape[:2]
    encoder = H264Encoder((width, height), frame_rate=60)
    decoder = H264Decoder()
    return [decoder.decode(encoder.encode(picture).data) for picture in pictures]


class OfflineWindow:
    """Everything of `connect_window` but the connection. Owner: GUI thread."""

    def __init__(self, canvas_size: tuple[int, int] | None = None) -> None:
        require_display()
        self.viewer = StreamedViewer(title="offline", show=True, show_welcome_screen=False)
        self.host = QtHost(self.viewer)
        config = ClientConfig("ws://127.0.0.1:9", "none")
        self.session = RemoteSession(
            config, self.viewer, self.host, client="test", own_canvas=True, dispatch=self.host.facade.dispatch
        )
        self.loop = self.session.loop
        self.viewer.attach(self.session)
        self.host.attach(self.loop, self.session.mirror, self.session)
        self.seq = 0
        self.canvas = self.viewer.window._qt_viewer.canvas.native
        if canvas_size is not None:
            fix_canvas_size(self.viewer, canvas_size)
        assert process_until(lambda: self.canvas.isVisible() and self.canvas.isValid())

    def show(self, picture: Picture, size: tuple[int, int]) -> bool:
        """Submit a picture as the decode thread does; True once it was on screen."""
        self.seq += 1
        frame = frame_of(picture, size)
        frame = replace(
            frame,
            header=replace(frame.header, epoch=1, seq=self.seq, revision=self.seq),
            decoded_s=time.perf_counter(),
        )
        self.loop.presenter.submit(frame, time.perf_counter())
        self.loop.schedule_next_wake()
        return process_until(lambda: self.loop.state.shown.revision == self.seq)

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()
