"""The real napari window on a server with a hundred layers, beside napari's own with as many."""

from __future__ import annotations

from typing import Any

import pytest

import napari_cuda
from gl_window import open_viewer
from integration.conftest import Serve
from napari_cuda.protocol import messages as m
from scale_scenes import add_many_layers
from window_costs import actions, actions_ms, settle

LAYERS = 100


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_list_of_a_hundred_layers_costs_what_it_does_in_napari(serve_scene: Serve) -> None:
    own = open_viewer()
    add_many_layers(own, LAYERS)
    stock = actions_ms(own)
    own.close()
    server = serve_scene(f"{LAYERS} layers", size=(400, 300))
    viewer = napari_cuda.connect(server.connect_url, timeout_s=300)
    settle(viewer)
    ours = actions_ms(viewer)
    sent = intents_of(viewer)
    viewer.close()
    # CPU time of the GUI thread, so that other work on the machine does not count.
    for name, (returned_ms, _) in ours.items():
        assert returned_ms < stock[name][0] + 100, f"no stall of 100 ms is ours: {name}, {ours}, {stock}"
    for name in ("select", "reorder", "pan"):
        assert ours[name][0] < 200, (ours, stock)
    kinds = {name: set(types) for name, types in sent.items()}
    assert kinds == {
        "hide": {"LayerIntent"},
        "select": {"SceneIntent"},
        "reorder": {"SceneIntent"},
        "add": {"Command", "SceneIntent"},
        "remove": {"Command", "SceneIntent"},
        "pan": {"CameraIntent"},
    }
    # napari may select anew before and after: still not one for each layer.
    assert max(len(types) for types in sent.values()) <= 3, sent


def intents_of(viewer: Any) -> dict[str, list[str]]:
    """Return what each action has the window send, by type."""
    intents: list[m.Intent] = []
    link = viewer._session.loop.link
    send = link.send

    def note(posted: list[m.Intent]) -> None:
        # Not the size of the canvas: it follows the layout, as sliders come and go.
        intents.extend(one for one in posted if not isinstance(one, m.ViewIntent))
        send(posted)

    link.send = note
    sent = {}
    for name, act in actions(viewer).items():
        settle(viewer)
        intents.clear()
        act(20)
        settle(viewer)
        sent[name] = [type(one).__name__ for one in intents]
    link.send = send
    return sent
