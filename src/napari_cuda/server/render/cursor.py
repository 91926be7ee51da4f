"""What is under the cursors of the viewers, from the data on the server."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from napari.layers import Layer

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.data_value import to_wire
from napari_cuda.protocol.errors import PropertyError
from napari_cuda.server.render.refusals import first_line

log = logging.getLogger(__name__)

CHEAP_S = 0.01
LARGEST_SHARE = 0.25
"""Of the render thread's time, for looks that are not cheap: a mouse over 10⁶ points must not stop the picture."""


class CursorModel(Protocol):
    """The scene as a cursor sees it."""

    def layers_under_cursor(self) -> list[Layer]:
        """Return the layers that the status bar tells of."""

    def status_at(self, query: m.CursorQuery) -> tuple[str | dict[str, str], str]:
        """Return napari's status and tooltip for a position."""

    def value_at(self, layer: Layer, query: m.CursorQuery) -> object:
        """Return what a layer has at a position."""


class CursorQueries:
    """The newest query of each viewer, until it is answered. Owner: render thread; `put` from any.

    Bound: two of each viewer, one for its status bar and one for a script that asks for a layer's value.
    A query waits for the intents that its viewer sent before it, and for data that is on its way: its
    answer is never about an older scene than the user sees.
    """

    def __init__(
        self, model: CursorModel, layer: Callable[[str], Layer], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._model = model
        self._layer = layer
        self._clock = clock
        self._lock = threading.Lock()
        self._newest: dict[tuple[str, bool], m.CursorQuery] = {}
        self._free_s = 0.0

    def put(self, viewer: str, query: m.CursorQuery) -> None:
        """Ask, instead of what the same viewer asked before."""
        with self._lock:
            self._newest[viewer, bool(query.layer)] = query

    def due_s(self, wait_s: float | None) -> float | None:
        """Return when to answer, in seconds, if queries wait because others took much time; at most `wait_s`."""
        held_s = self._free_s - self._clock()
        if not self._newest or held_s <= 0:
            return wait_s
        return held_s if wait_s is None else min(held_s, wait_s)

    def answer(self, applied: Mapping[str, int]) -> list[tuple[str, m.CursorValue]]:
        """Return (viewer, answer) of what can be answered. `applied`: the newest intent done of each viewer."""
        began_s = self._clock()
        if not self._newest or began_s < self._free_s:
            return []
        answers = [(viewer, self._look(query)) for viewer, query in self._take(applied)]
        now_s = self._clock()
        if now_s - began_s > CHEAP_S:
            self._free_s = now_s + (now_s - began_s) * (1 / LARGEST_SHARE - 1)
        return answers

    def _take(self, applied: Mapping[str, int]) -> list[tuple[str, m.CursorQuery]]:
        """Return and remove the queries whose time has come; those of viewers that are gone go too."""
        with self._lock:
            for key in [key for key in self._newest if key[0] not in applied]:
                del self._newest[key]
            due = [
                key for key, query in self._newest.items() if query.after <= applied[key[0]] and self._is_there(query)
            ]
            return [(key[0], self._newest.pop(key)) for key in due]

    def _is_there(self, query: m.CursorQuery) -> bool:
        """Return whether the data that a query is about is there."""
        try:
            layers = [self._layer(query.layer)] if query.layer else self._model.layers_under_cursor()
        except PropertyError:
            return True  # it is answered that there is none
        return all(layer.loaded for layer in layers if layer.visible)

    def _look(self, query: m.CursorQuery) -> m.CursorValue:
        try:
            if query.layer:
                value = self._model.value_at(self._layer(query.layer), query)
                return m.CursorValue(query.query, value=to_wire(value))
            status, tooltip = self._model.status_at(query)
            return m.CursorValue(query.query, status, tooltip)
        except Exception as error:  # noqa: BLE001 -- a layer of a plugin may raise anything; others wait for answers
            log.warning("a cursor's value cannot be told: %s", first_line(error))
            return m.CursorValue(query.query)
