"""KeyReplay: keys go to those who listen, and none is held by who is gone."""

from __future__ import annotations

from napari_cuda.protocol import messages as m
from napari_cuda.server.render.key_replay import KeyReplay


class Canvas:
    """Notes what napari would see."""

    def __init__(self) -> None:
        self.heard = {"Ctrl+G", "W"}
        self.story: list[tuple[str, str]] = []
        self.fails = False

    def hears_key(self, key: str) -> bool:
        return key in self.heard

    def press_key(self, key: str) -> None:
        self.story.append(("press", key))
        if self.fails:
            raise ValueError("no such colour")

    def release_key(self, key: str) -> None:
        self.story.append(("release", key))
        if self.fails:
            raise ValueError("no such colour")


def press(key: str) -> m.InputKey:
    return m.InputKey(1, "press", key)


def release(key: str) -> m.InputKey:
    return m.InputKey(2, "release", key)


def test_only_keys_that_are_listened_to_are_pressed() -> None:
    canvas = Canvas()
    keys = KeyReplay(canvas)
    for event in (press("W"), release("W"), press("Delete"), release("Delete"), release("Ctrl+G")):
        assert keys.apply("a", event) == {}
    assert canvas.story == [("press", "W"), ("release", "W")]


def test_a_repeated_key_is_pressed_again_and_let_go_once() -> None:
    canvas = Canvas()
    keys = KeyReplay(canvas)
    for event in (press("W"), press("W"), release("W"), release("W")):
        keys.apply("a", event)
    assert canvas.story == [("press", "W"), ("press", "W"), ("release", "W")]


def test_who_is_gone_holds_no_key() -> None:
    canvas = Canvas()
    keys = KeyReplay(canvas)
    keys.apply("a", press("W"))
    keys.apply("b", press("Ctrl+G"))
    keys.let_go("a")
    keys.let_go("a")
    assert canvas.story[2:] == [("release", "W")]


def test_what_fails_is_told_in_one_line_and_ends_nothing() -> None:
    canvas = Canvas()
    canvas.fails = True
    keys = KeyReplay(canvas)
    told = keys.apply("a", press("W"))
    assert told == {"input.key": "what is bound to W failed: ValueError: no such colour"}
    keys.let_go("a")
    assert canvas.story == [("press", "W"), ("release", "W")]
