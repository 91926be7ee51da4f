"""napari looks once, instead of at each connection, whether a function wants the event that it is called with.

That is Python's `inspect.signature`: a third of what it takes napari to connect a callback, and it connects a hundred
for each layer that comes, and thousands for a panel of many layers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any

from napari.utils.events import EventEmitter

PRIVATE_NAMES = ("_check_signature",)
"""Of napari's emitter; checked by tests/contract/test_lean_events.py."""


@functools.cache
def make_events_lean() -> None:
    """Have all emitters of this process do so. Owner: the thread of napari's model."""
    check = EventEmitter._check_signature
    known: dict[tuple[CodeType, int, bool], bool] = {}
    """Bound: the functions in the text of the program, of which napari has some hundreds. None of them is kept."""

    @functools.wraps(check)
    def wants_event(function: Callable[..., Any]) -> bool:
        bound = isinstance(function, MethodType)
        plain: Any = function.__func__ if isinstance(function, MethodType) else function
        if not isinstance(plain, FunctionType) or plain.__dict__:  # decorated: its signature may be another's
            return bool(check(function))
        key = plain.__code__, len(plain.__defaults__ or ()), bound
        if key not in known:
            known[key] = bool(check(function))
        return known[key]

    EventEmitter._check_signature = staticmethod(wants_event)
