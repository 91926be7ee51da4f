"""Starting a ClientStreamLoop in order, and ending it in reverse by one deadline."""

from __future__ import annotations

from napari_cuda.client.loop import ClientStreamLoop
from napari_cuda.worker import Deadline


def start_loop(loop: ClientStreamLoop) -> None:
    """Start the threads: decoder first, so that the first packet finds it."""
    loop.pipeline.start()
    loop.link.start()


def stop_loop(loop: ClientStreamLoop, timeout_s: float = 5.0) -> bool:
    """End all threads and sockets; False if one did not end in time."""
    loop.state.advance("closed")
    deadline = Deadline(timeout_s)
    ended = loop.link.stop(deadline)
    ended = loop.pipeline.stop(deadline.left_s()) and ended
    loop.let_go()
    return ended
