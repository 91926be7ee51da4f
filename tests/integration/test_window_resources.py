"""What a client window costs over 100 000 frames, and what it leaves behind: nothing."""

from __future__ import annotations

import gc
import threading

import psutil
import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QDockWidget, QWidget

from gl_window import gl_objects
from napari_cuda.client.qt.napari_adapter import main_window
from offline_window import OfflineWindow, decoded
from pictures import noisy_pan

pytestmark = pytest.mark.alone

SIZE = (160, 120)
FRAMES = 100_000
MOST_GROWTH_BYTES = 5_000_000


def only_the_canvas(window: OfflineWindow) -> None:
    """Make the window as small as its canvas allows: what is composed around it is not what is tested."""
    frame = main_window(window.viewer)
    hidden: list[QWidget] = [*frame.findChildren(QDockWidget), frame.statusBar(), frame.menuBar()]
    for widget in hidden:
        widget.hide()
    frame.resize(*SIZE)


def threads() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_frames_cost_no_memory_thread_or_gl_object() -> None:
    pictures = decoded(noisy_pan(8, SIZE))
    window = OfflineWindow(SIZE)
    only_the_canvas(window)

    def show(frames: int) -> None:
        for index in range(frames):
            assert window.show(pictures[index % len(pictures)], SIZE)

    def rss_and_counts() -> tuple[int, int, list[str], dict[str, int]]:
        gc.collect()
        window.host.facade.adapter.make_current()
        process = psutil.Process()
        return process.memory_info().rss, process.num_threads(), threads(), gl_objects()

    show(5_000)  # the histories of the metrics are full then
    rss_and_counts()  # what counting itself needs is there
    rss_before, native_before, *before = rss_and_counts()
    show(FRAMES)
    rss_after, native_after, *after = rss_and_counts()
    window.close()
    print(f"RSS grew by {(rss_after - rss_before) / 1e6:.2f} MB over {FRAMES} frames")
    assert rss_after - rss_before < MOST_GROWTH_BYTES
    assert after == before
    assert native_after <= native_before, "Qt's own pool lets idle threads go"


def running_timers() -> list[QTimer]:
    """Return the timers of our objects that run."""
    # Not isinstance: it asks weak proxies of other tests, whose objects are gone.
    return [one for one in gc.get_objects() if issubclass(type(one), QTimer) and _is_ours_and_runs(one)]


def _is_ours_and_runs(timer: QTimer) -> bool:
    try:
        return type(timer.parent()).__module__.startswith("napari_cuda") and timer.isActive()
    except RuntimeError:  # Qt has deleted it, only Python's half is left
        return False


def test_a_closed_window_leaves_no_timer_thread_or_gl_object() -> None:
    pictures = decoded(noisy_pan(2, SIZE))
    threads_before = threads()
    for _ in range(2):
        window = OfflineWindow(SIZE)
        adapter = window.host.facade.adapter
        window.host.facade.hud_action.trigger()
        assert all(window.show(picture, SIZE) for picture in pictures)
        assert len(running_timers()) >= 2, "the monitor's and the figures'"
        window.canvas.repaint()
        adapter.make_current()
        shown = gl_objects()
        window.viewer.leave()
        assert adapter.can_make_current(), "the window stays, and its context"
        freed = {kind: shown[kind] - left for kind, left in gl_objects().items()}
        assert freed == {"textures": 6, "buffers": 1, "programs": 1}, "two sets of planes, a triangle, a shader"
        window.close()
        QApplication.processEvents()
        assert running_timers() == []
    assert threads() == threads_before
