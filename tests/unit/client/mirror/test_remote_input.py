"""RemoteInput: keys that the server's code listens to are bound here, in napari's own order, and let go again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.key_bindings import KeymapHandler

from napari_cuda.client.mirror import remote_input
from napari_cuda.client.mirror.remote_input import RemoteInput
from napari_cuda.protocol import messages as m


class RemoteImage(Image):
    """A layer with an id."""

    remote_id = "L1"


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(remote_input, "RemoteLayer", RemoteImage)
    viewer = ViewerModel()
    layer = viewer.add_layer(RemoteImage(np.zeros((4, 4))))
    sent: list[m.InputKey] = []
    keyboard = KeymapHandler()
    keyboard.keymap_providers = [layer, viewer]
    return SimpleNamespace(
        viewer=viewer, layer=layer, sent=sent, keyboard=keyboard, remote=RemoteInput(viewer, sent.append)
    )


def story(desk: Any) -> list[tuple[str, str]]:
    return [(event.action, event.key) for event in desk.sent]


def test_a_key_is_sent_when_it_goes_down_and_up(desk: Any) -> None:
    desk.remote.show(m.InputWanted({"": ["Ctrl+G"], "L1": ["W"], "L9": ["X"]}, ["drag"]))
    for key in ("Control-G", "w", "x"):
        desk.keyboard.press_key(key)
        desk.keyboard.release_key(key)
    assert story(desk) == [("press", "Ctrl+G"), ("release", "Ctrl+G"), ("press", "W"), ("release", "W")]
    assert desk.remote.pointer == {"drag"}


def test_what_is_wanted_no_more_is_as_before(desk: Any) -> None:
    pressed: list[str] = []
    desk.viewer.bind_key("g", lambda viewer: pressed.append("g"))
    desk.remote.show(m.InputWanted({"": ["G", "H"]}))
    desk.keyboard.press_key("g")
    assert (story(desk), pressed) == ([("press", "G")], [])
    desk.remote.show(m.InputWanted())
    desk.keyboard.press_key("g")
    assert (story(desk), pressed) == ([("press", "G")], ["g"])
    assert not desk.keyboard.press_key("h")


def test_a_key_that_the_user_took_meanwhile_stays_the_user_s(desk: Any) -> None:
    desk.remote.show(m.InputWanted({"": ["G"]}))
    pressed: list[str] = []
    desk.viewer.bind_key("g", lambda viewer: pressed.append("g"), overwrite=True)
    desk.remote.show(m.InputWanted())
    desk.keyboard.press_key("g")
    assert (story(desk), pressed) == ([], ["g"])


def test_a_key_of_no_keyboard_here_is_passed_over(desk: Any) -> None:
    desk.remote.show(m.InputWanted({"": ["Hyper+Ω", "G"]}))
    assert desk.keyboard.press_key("g")
