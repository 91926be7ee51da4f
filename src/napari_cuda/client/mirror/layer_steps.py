"""LayerSteps: many layers that come and go, one by one, so that the window gets a turn between two of them."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

LAYERS_AT_ONCE = 16
"""So few come and go in one turn. In a window each costs napari 20 ms: with more of them it would hang."""


class LayerSteps:
    """What is left to do of what the server told last. Owner: GUI thread.

    While much is left `batch()` is open: napari looks at all layers after each that comes or goes else.
    """

    def __init__(self, batch: Callable[[], AbstractContextManager[object]]) -> None:
        self._batch = batch
        self._open = ExitStack()
        self._steps: deque[Callable[[], None]] = deque()
        """Bound: the layers that there were, and those that there are."""

    @property
    def left(self) -> bool:
        """True while `take` is to be called."""
        return bool(self._steps)

    def begin(self, steps: Iterable[Callable[[], None]], finish: Callable[[], None]) -> None:
        """Do these and then `finish`, and nothing of what was left: all now if they are few, else by `take`."""
        self._open.close()
        self._steps = deque([*steps, finish])
        if len(self._steps) > LAYERS_AT_ONCE + 1:
            self._open.enter_context(self._batch())
            self._steps.append(self._open.close)  # by itself: napari looks at all layers then
        else:
            while self._steps:
                self.take()

    def take(self) -> None:
        """Take a step. One that raises is over: the others are still to be taken."""
        with _uncollected():
            self._steps.popleft()()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Have Python take what is made within this for old objects, unseen: a layer's thousands stay as long as it.

    It would see to all objects whenever there are a quarter more, which takes it 0.4 s where there are 500 layers.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        if collects:
            gc.enable()
