"""What things that one does to a layer list cost the thread of a napari window, ours or napari's own."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, QTimer

from gl_window import application, process_until

REPEATS = 5


def settle(viewer: Any) -> None:
    """Process events until the server, if there is one, and the window have done all that there is to do."""
    if hasattr(viewer, "sync"):
        viewer.sync(120)
    process_until(lambda: False, 0.3)


@contextmanager
def turns_ms() -> Iterator[list[float]]:
    """Yield the CPU milliseconds that Qt's events took the GUI thread between two chances of a hand, in their order.

    What takes no more than a millisecond is left out. CPU time, so that other work on the machine does not count.
    """
    application()
    turns: list[float] = []
    looked_s = time.thread_time()

    def look() -> None:
        nonlocal looked_s
        now_s = time.thread_time()
        if now_s - looked_s > 0.001:
            turns.append((now_s - looked_s) * 1e3)
        looked_s = time.thread_time()

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(look)
    timer.start(1)
    try:
        yield turns
    finally:
        timer.stop()


def actions(viewer: Any) -> Mapping[str, Callable[[int], object]]:
    """Return things to do by name; each is to be done for the numbers up to `REPEATS`, in turn."""
    layers = viewer.layers

    def hide(number: int) -> None:
        layers[number].visible = False

    def select(number: int) -> None:
        layers.selection.active = layers[number]

    def rename(number: int) -> None:
        layers[number].name = f"renamed {number}"

    def reorder(number: int) -> None:
        layers.move(number, len(layers) // 2)

    def add(number: int) -> None:
        viewer.add_image(np.full((24, 32), number, np.uint8), name=f"added {number}")

    def remove(_number: int) -> None:
        layers.remove(layers[-1])

    def pan(number: int) -> None:
        viewer.scene.camera.center = (0.0, 100.0, 100.0 + number)

    return {act.__name__: act for act in (hide, select, rename, reorder, add, remove, pan)}


def actions_ms(viewer: Any) -> dict[str, tuple[float, float]]:
    """Return the median CPU milliseconds of each action: until it returns, and until all that follows is done."""
    return {
        name: (statistics.median(s[0] for s in samples), statistics.median(s[1] for s in samples))
        for name, samples in samples_ms(viewer).items()
    }


def samples_ms(viewer: Any, repeats: int = REPEATS) -> dict[str, list[tuple[float, float]]]:
    """Return CPU milliseconds of each action, each time: until it returns, and until all that follows is done."""
    taken: dict[str, list[tuple[float, float]]] = {}
    for name, act in actions(viewer).items():
        for number in range(repeats):
            settle(viewer)
            began_s = time.thread_time()
            act(number)
            returned_s = time.thread_time()
            settle(viewer)
            cost = ((returned_s - began_s) * 1e3, (time.thread_time() - began_s) * 1e3)
            taken.setdefault(name, []).append(cost)
    return taken
