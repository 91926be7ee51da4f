"""napari's look at a callback in its lean form beside its own: the same answers, and no function is kept alive."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from napari.utils.events import EventEmitter

from napari_cuda import lean_events


class Owner:
    def nothing(self) -> None: ...
    def event(self, event: Any) -> None: ...
    def optional(self, event: Any = None) -> None: ...
    def any_number(self, *events: Any) -> None: ...
    def named(self, *, event: Any = None) -> None: ...
    def two(self, one: Any, other: Any) -> None: ...
    def __call__(self, event: Any) -> None: ...

    @staticmethod
    def alone(event: Any) -> None: ...

    @classmethod
    def of_class(cls) -> None: ...


@functools.wraps(Owner.nothing)
def as_if_nothing(*args: Any) -> None: ...


def functions() -> dict[str, Callable[..., Any]]:
    owner = Owner()
    methods = {name: getattr(owner, name) for name in vars(Owner) if not name.startswith("__")}
    return {
        **methods,
        "unbound": Owner.event,
        "unbound two": Owner.optional,
        "callable": owner,
        "lambda": lambda event: event,
        "lambda of nothing": lambda: None,
        "lambda with a default": lambda event=1: event,
        "partial": functools.partial(owner.two, 1),
        "wrapped": as_if_nothing,
        "wrapped method": as_if_nothing.__get__(owner),
        "builtin": print,
        "class": Owner,
    }


@pytest.fixture
def lean() -> Iterator[tuple[Callable[..., bool], Callable[..., bool]]]:
    missing = [name for name in lean_events.PRIVATE_NAMES if not hasattr(EventEmitter, name)]
    assert not missing, f"napari changed ({missing}): adapt src/napari_cuda/lean_events.py or pin the older version"
    held = EventEmitter._check_signature
    own = getattr(held, "__wrapped__", held)
    EventEmitter._check_signature = staticmethod(own)
    lean_events.make_events_lean.__wrapped__()
    yield own, EventEmitter._check_signature
    EventEmitter._check_signature = staticmethod(held)


def test_the_answer_is_napari_s_own(lean: tuple[Callable[..., bool], ...]) -> None:
    own, quick = lean
    for _ in range(2):  # the second is remembered
        for name, function in functions().items():
            answers: list[object] = []
            for check in (own, quick):
                try:
                    answers.append(check(function))
                except RuntimeError as error:
                    answers.append(str(error))
            assert answers[0] == answers[1], (name, answers)


def test_no_callback_is_kept(lean: tuple[Callable[..., bool], ...]) -> None:
    owner = Owner()
    emitter = EventEmitter(source=owner, type_name="told")
    emitter.connect(owner.optional)
    gone = weakref.ref(owner)
    del owner, emitter
    gc.collect()
    assert gone() is None
