"""InputReplay: what the viewers' pointers do, done to napari's tools on the server's canvas."""

from __future__ import annotations

import logging
from typing import Protocol

from msgspec.structs import replace

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import CommandError
from napari_cuda.server.render.refusals import REFUSALS, first_line

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 2.0
"""A tool must not act on the slice before the one that the user sees; a stuck reader must not stop the session."""


class ToolCanvas(Protocol):
    """What the replay needs of the canvas."""

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of the canvas."""

    def pointer(self, event: m.InputPointer) -> None:
        """Have napari's tools see an event."""

    def wait_for_active_slice(self, timeout_s: float) -> None:
        """Return once the active layer shows the slice that it was last asked for."""


class Tools(Protocol):
    """What the replay needs of napari's tools."""

    def begin(self) -> None:
        """A hand comes down. CommandError if the tool can do nothing here."""

    def take_back(self) -> None:
        """Undo what a tool began, and failed at."""


class InputReplay:
    """Hand the viewers' pointer events to napari's tools, one hand at a time. Owner: render thread.

    The scene is shared, and a tool knows one pointer: from a viewer's press until its last button is up,
    the presses of others are refused, and what else their pointers do means nothing.
    """

    def __init__(self, canvas: ToolCanvas, tools: Tools) -> None:
        self._canvas = canvas
        self._tools = tools
        self._holder = ""
        """The viewer whose buttons are down."""
        self._held: m.InputPointer | None = None
        """Its newest event."""

    def apply(self, viewer: str, event: m.InputPointer) -> dict[str, str]:
        """Carry out one event; return why it was refused, by name (empty: done)."""
        if event.listeners:
            return self._tell_listeners(event)
        begins = event.action in ("press", "double")
        if self._held is not None and viewer != self._holder:
            if begins:
                return {"input.pointer": "another viewer is using a tool: try again when it has let go"}
            return {}
        if self._held is None and not begins and (event.buttons or event.action == "release"):
            return {}  # the rest of a drag whose press was refused, or whose connection was lost
        if begins:
            self._canvas.wait_for_active_slice(LONGEST_WAIT_S)
        there = replace(event, position=self._place(event), canvas=list(self._canvas.size_px))
        try:
            if begins and self._held is None:
                self._tools.begin()
            self._holder, self._held = viewer, there if event.buttons else None
            self._canvas.pointer(there)
        except CommandError as error:
            return {"input.pointer": str(error)}
        except REFUSALS as error:
            log.warning("a tool failed", exc_info=error)
            self._held = None
            self._tools.take_back()
            return {"input.pointer": f"the tool failed and was let go: {first_line(error)}"}
        return {}

    def _tell_listeners(self, event: m.InputPointer) -> dict[str, str]:
        """Have callbacks of the user's see an event, whoever has the tools: they follow all hands, as it comes."""
        try:
            self._canvas.pointer(replace(event, position=self._place(event), canvas=list(self._canvas.size_px)))
        except Exception as error:  # it is the user's code, and may raise anything
            log.exception("a callback of the pointer failed")
            return {"input.pointer": f"a callback of the pointer failed: {type(error).__name__}: {first_line(error)}"}
        return {}

    def let_go(self, viewer: str) -> None:
        """A viewer's connection is gone: its hand is off the buttons."""
        held = self._held
        if held is None or viewer != self._holder:
            return
        self._held = None
        for index, button in enumerate(held.buttons):
            self._canvas.pointer(replace(held, action="release", button=button, buttons=held.buttons[index + 1 :]))

    def _place(self, event: m.InputPointer) -> list[int]:
        """Return where on this canvas the event is: the camera's centre is in the middle of both."""
        return [
            place + (here - there) // 2
            for place, here, there in zip(event.position, self._canvas.size_px, event.canvas, strict=True)
        ]
