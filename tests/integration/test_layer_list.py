"""The layer list from two clients: make, remove, reorder, link, and every entry of the layer menu, as stock napari."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from napari._app_model.actions._layerlist_context_actions import LAYERLIST_CONTEXT_ACTIONS
from napari.components import ViewerModel
from napari.layers import Image, Points, Surface
from napari.layers.utils._link_layers import get_linked_layers

import napari_cuda
from differing_elements import EVERY_COLUMN, LAYERS, PLACES
from integration.conftest import Connect, Serve
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.element_values import element_values
from napari_cuda.protocol import messages as m
from napari_cuda.server_process import ServerProcess
from raw_client import RawClient
from scene_server import SceneServer
from scenes import add_layers_to_work_on

MENU = {action.id.removeprefix("napari.layer."): action.callback for action in LAYERLIST_CONTEXT_ACTIONS}

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("duplicate", ("red",)),
    ("duplicate", ("cells",)),
    *((f"project_{mode}", ("stack",)) for mode in ("max", "min", "std", "sum", "mean", "median")),
    *((f"convert_to_{dtype}", ("cells",)) for dtype in ("int8", "int16", "int32", "uint8", "uint16", "uint32")),
    *((f"convert_to_{dtype}", ("cells",)) for dtype in ("uint64", "int64")),
    ("toggle_visibility", ("red", "green")),
    ("show_selected", ("red",)),
    ("hide_selected", ("blue",)),
    ("hide_unselected", ("red", "green")),
    ("show_unselected", ("red", "green")),
    ("bounding_box", ("red", "outline")),
    ("name_overlay", ("red", "outline")),
    ("colorbar", ("red",)),
    ("link_selected_layers", ("red", "green")),
    ("select_linked_layers", ("red",)),
    ("unlink_selected_layers", ("red", "green")),
    ("toggle_lock", ("red",)),
    ("toggle_lock", ("red",)),
    ("extract_multiscale_level", ("pyramid",)),
    ("convert_to_image", ("cells copy",)),
    ("convert_to_labels", ("outline",)),
    ("convert_to_labels", ("red copy",)),
    ("split_rgb", ("colors",)),
    ("merge_rgb", ("red", "green", "blue")),
    ("split_stack", ("stack",)),
    ("merge_stack", ("stack layer 0", "stack layer 1")),
)
NOT_HERE = {"border_colorbar", "face_colorbar"}
"""Entries for points only, which set a property of the table."""


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("to work on", size=(320, 240))


@pytest.fixture(scope="module")
def viewers(server: ServerProcess) -> Iterator[list[RemoteViewer]]:
    with ExitStack() as open_viewers:
        yield [open_viewers.enter_context(napari_cuda.connect(server.connect_url, window=False)) for _ in range(2)]


@pytest.fixture
def here(viewers: list[RemoteViewer]) -> RemoteViewer:
    """The client that asks."""
    return viewers[0]


@pytest.fixture
def there(viewers: list[RemoteViewer]) -> RemoteViewer:
    """The client that sees."""
    return viewers[1]


def look(layer: Any) -> dict[str, Any]:
    """Return what stock napari and a remote layer must have in common."""
    return {
        "name": layer.name,
        "kind": type(layer).__name__.removeprefix("Remote"),
        "shape": None if isinstance(layer.data, list) else np.shape(layer.data[0] if layer.multiscale else layer.data),
        "dtype": str(getattr(layer, "dtype", "")),
        "visible": layer.visible,
        "locked": layer.locked,
        "box": layer.bounding_box.visible,
        "title": layer.name_overlay.visible,
        "linked": sorted(other.name for other in get_linked_layers(layer)),
        "scale": layer.scale.tolist(),
    }


def state_of(viewer: Any) -> dict[str, Any]:
    selection = viewer.layers.selection
    return {
        "layers": [look(layer) for layer in viewer.layers],
        "selection": sorted(layer.name for layer in selection),
        "active": getattr(selection.active, "name", None),
        "ndim": viewer.dims.ndim,
    }


def settle(here: RemoteViewer, there: RemoteViewer) -> None:
    """Have both show what was asked for here."""
    here.sync()
    revision = here._session.loop.state.control.revision
    assert there._session._host.wait_until(lambda: there._session.loop.state.control.revision >= revision, 30)


def run_menu(viewer: RemoteViewer, action: str) -> None:
    """Do what the window's menu does."""
    layers = viewer.layers
    chosen: list[Any] = [layer for layer in layers if layer in layers.selection]
    active: Any = layers.selection.active
    chosen[0].ask(
        "layers.menu_action",
        action=f"napari.layer.{action}",
        selection=[layer.remote_id for layer in chosen],
        active=None if active is None else active.remote_id,
    )


@pytest.mark.slow
def test_every_entry_of_the_menu_does_what_it_does_in_stock_napari(here: RemoteViewer, there: RemoteViewer) -> None:
    assert {action for action, _ in STEPS} == set(MENU) - NOT_HERE
    stock = ViewerModel()
    add_layers_to_work_on(stock)
    for viewer in (stock, here):
        viewer.layers["pyramid"].locked_data_level = 1
    for action, names in STEPS:
        for viewer in (stock, here):
            viewer.layers.selection = {viewer.layers[name] for name in names}
        MENU[action](stock.layers)
        run_menu(here, action)
        settle(here, there)
        expected = state_of(stock)
        for where, viewer in (("here", here), ("there", there)):
            found = state_of(viewer)
            wrong = [pair for pair in zip(found.pop("layers"), expected["layers"], strict=True) if pair[0] != pair[1]]
            assert not wrong, f"{where} after {action}: {wrong}"
            assert found == {name: value for name, value in expected.items() if name != "layers"}, f"{where}, {action}"


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_layers_made_here_are_made_there(here: RemoteViewer, there: RemoteViewer) -> None:
    before = names(here)
    spots = here.add_points(ndim=3, size=7, name="spots", scale=(2, 1, 1))
    assert isinstance(spots, RemoteLayer)
    spots.opacity = 0.5  # whoever made it steers it, before the server has it
    outlines = here.add_shapes([np.array([[0, 0], [0, 10], [8, 10]])], shape_type="polygon", name="outlines")
    values = np.arange(600, dtype=np.uint16).reshape(20, 30)
    picture = here.add_image(values, name="picture", colormap="green")
    here.add_labels(np.zeros((5, 6), int), name="empty labels")
    here.layers.insert(0, Image(values, name="bottom"))
    settle(here, there)
    made = ["spots", "outlines", "picture", "empty labels"]
    for viewer in (here, there):
        assert names(viewer) == ["bottom", *before, *made]
        assert viewer.layers["spots"].opacity == 0.5
        assert viewer.layers["spots"].scale.tolist() == [2, 1, 1]
        assert viewer.layers["spots"].current_size == 7
        assert viewer.layers["picture"].contrast_limits == [0, 599]
        assert viewer.layers["picture"].colormap.name == "green"
        assert viewer.layers["outlines"].extent.data.tolist() == [[0, 0], [8, 10]]
    assert here.layers["spots"] is spots
    assert outlines in here.layers
    assert set(picture._data.strides) == {0} and not picture._data.any(), "the pixels stayed"
    for layer in [spots, outlines, picture, here.layers["empty labels"], here.layers["bottom"]]:
        here.layers.remove(layer)
    settle(here, there)
    assert names(here) == names(there) == before


@pytest.mark.parametrize("kind", LAYERS)
def test_what_single_elements_have_arrives(
    server: SceneServer, here: RemoteViewer, there: RemoteViewer, kind: str
) -> None:
    make, differing = LAYERS[kind]
    layer = make(**differing, name="of all kinds")
    expected = {name: array.tolist() for name, array in element_values(layer).items()}
    assert expected
    here.layers.append(layer)
    settle(here, there)
    assert server.contents()["elements"]["of all kinds"] == expected
    assert layer in here.layers
    assert isinstance(layer, RemoteLayer)
    assert list(there.layers["of all kinds"].features) == list(layer.features)
    here.layers.remove(layer)
    settle(here, there)


def test_every_kind_of_column_arrives(server: SceneServer, here: RemoteViewer, there: RemoteViewer) -> None:
    expected = element_values(Points(PLACES, features=EVERY_COLUMN))
    layer = here.add_points(PLACES, features=EVERY_COLUMN, text="{mixed}", name="of all columns")
    settle(here, there)
    arrived = server.contents()["elements"]["of all columns"]
    # As text: NaN is in it, which equals nothing.
    assert str(arrived) == str({name: array.tolist() for name, array in expected.items()})
    assert list(there.layers["of all columns"].features) == list(EVERY_COLUMN)
    here.layers.remove(layer)
    settle(here, there)


def test_a_picture_shows_what_is_known_of_others(here: RemoteViewer, there: RemoteViewer) -> None:
    settle(here, there)
    for ndisplay in (3, 2):
        here.dims.ndisplay = ndisplay
        here._session.mirror.flush()
        while there.dims.ndisplay != ndisplay:
            there.pump(0.0001)
        picture = there.screenshot()  # it was heard of, and takes some time to be drawn
        assert np.array_equal(picture, here.screenshot())


def test_a_texture_is_drawn(here: RemoteViewer, there: RemoteViewer) -> None:
    shown = [layer for layer in here.layers if layer.visible]
    for layer in shown:
        layer.visible = False
    corners = np.array([[0.0, 0], [0, 40], [40, 40], [40, 0]])
    faces, texcoords = np.array([[0, 1, 2], [0, 2, 3]]), np.array([[0.0, 1], [1, 1], [1, 0], [0, 0]])
    texture = np.zeros((2, 2, 3), np.uint8)
    texture[0, 0], texture[1, 1] = (255, 0, 0), (0, 0, 255)
    layer = Surface((corners, faces), texture=texture, texcoords=texcoords, name="painted")
    here.layers.append(layer)
    here.reset_view()
    settle(here, there)
    picture = there.screenshot()
    red, blue = (np.argwhere((picture == color).all(axis=-1)) for color in ([255, 0, 0, 255], [0, 0, 255, 255]))
    assert len(red) and len(blue)
    assert (red.mean(axis=0) < blue.mean(axis=0)).all(), "red is above and left of blue, as in the texture"
    here.layers.remove(layer)
    for layer in shown:
        layer.visible = True
    settle(here, there)


def test_what_many_elements_have_arrives_as_a_file(
    server: SceneServer, here: RemoteViewer, there: RemoteViewer, rng: np.random.Generator
) -> None:
    sizes, kinds = rng.uniform(1, 9, 40_000), rng.choice(["cell", "debris"], 40_000)
    places = rng.uniform(0, 9_000, (40_000, 2))
    many_here = Points(places, size=sizes, features={"kind": kinds}, name="many")
    here.add_points(places, size=sizes, features={"kind": kinds}, name="many")
    many = ("many", True)
    here._session._wait(
        lambda: many in [(layer.name, isinstance(layer, RemoteLayer)) for layer in here.layers], 60, "not sent"
    )
    settle(here, there)
    assert server.contents()["elements"]["many"] == {
        name: array.tolist() for name, array in element_values(many_here).items()
    }
    here.layers.remove("many")
    settle(here, there)


def test_new_labels_are_as_large_as_what_is_selected(here: RemoteViewer, there: RemoteViewer) -> None:
    here.layers.selection = {here.layers["pyramid"]}
    here._new_labels()
    settle(here, there)
    for viewer in (here, there):
        assert names(viewer)[-1] == "pyramid - Labels"
        assert viewer.layers[-1].data.shape == (64, 64)
        assert viewer.layers.selection.active is viewer.layers[-1]
    here.layers.remove_selected()
    settle(here, there)
    assert "pyramid - Labels" not in names(there)


def test_new_labels_that_are_too_large_are_refused_and_all_else_goes_on(
    here: RemoteViewer, there: RemoteViewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(here._session.loop._host, "notify", said.append)
    before = names(here)
    here.layers.selection = {here.add_points([[0] * 4, [1e4] * 4], name="far apart")}
    here._new_labels()
    settle(here, there)
    assert len(said) == 1
    assert "too large for the server's memory: select a smaller layer alone (Unable to allocate" in said[0]
    here.layers.remove("far apart")
    settle(here, there)
    assert names(here) == names(there) == before


def test_a_name_that_is_taken_is_counted_up(here: RemoteViewer, there: RemoteViewer) -> None:
    here.add_points(ndim=2, name="spots")
    there.add_points(ndim=2, name="spots")
    settle(here, there)
    settle(there, here)
    assert names(here) == names(there)
    assert sorted(names(here)[-2:]) == ["spots", "spots [1]"]
    here.layers["spots"].name = "pyramid"
    settle(here, there)
    assert names(here) == names(there)
    assert "pyramid [1]" in names(here)
    here.layers.remove("pyramid [1]")
    here.layers.remove("spots [1]")
    settle(here, there)


def test_what_cannot_be_made_there_is_taken_back(
    here: RemoteViewer, there: RemoteViewer, caplog: pytest.LogCaptureFixture
) -> None:
    before = names(here)
    with caplog.at_level(logging.WARNING, logger="napari_cuda"):
        here.add_points(np.eye(2), features={"when": np.array([[1], None], object)}, name="of all times")
        settle(here, there)
    assert names(here) == names(there) == before
    words = (
        "'of all times' was not added: its feature 'when' has a value of type list, which has no form that can be sent"
    )
    assert [record.getMessage() for record in caplog.records] == [words]


def test_links_are_the_server_s(here: RemoteViewer, there: RemoteViewer) -> None:
    pair = [here.layers["pyramid"], here.layers[0]]
    here.layers.link_layers(pair)
    settle(here, there)
    for viewer in (here, there):
        assert get_linked_layers(viewer.layers["pyramid"]) == {viewer.layers[0]}
    sent = there.metrics.counts().get("intents_sent", 0)
    here.layers["pyramid"].opacity = 0.25
    settle(here, there)
    assert [viewer.layers[0].opacity for viewer in (here, there)] == [0.25, 0.25]
    there.pump(0.05)
    assert there.metrics.counts().get("intents_sent", 0) == sent, "an echo was sent back"
    here.layers.unlink_layers(pair)
    here.layers["pyramid"].opacity = 1.0
    settle(here, there)
    assert there.layers[0].opacity == 0.25
    assert not get_linked_layers(there.layers["pyramid"])
    here.layers[0].opacity = 1.0
    settle(here, there)


def test_contrast_buttons(here: RemoteViewer, there: RemoteViewer) -> None:
    layer = here.add_image(np.arange(50, 90, dtype=np.uint16).reshape(5, 8), name="narrow")
    layer.contrast_limits = (0, 255)
    layer.reset_contrast_limits()
    layer.contrast_limits_range = layer.contrast_limits  # as the button "reset" does
    settle(here, there)
    assert there.layers["narrow"].contrast_limits == there.layers["narrow"].contrast_limits_range == [50, 89]
    layer.reset_contrast_limits_range()
    settle(here, there)
    assert there.layers["narrow"].contrast_limits_range == [0, 65535]
    layer.contrast_limits = (0, 255)
    here.sync()
    layer.auto_contrast = True
    settle(here, there)
    assert there.layers["narrow"].contrast_limits == [50, 89]
    here.layers.remove("narrow")
    settle(here, there)


def test_histogram_is_counted_where_the_data_is(here: RemoteViewer) -> None:
    stock = ViewerModel()
    values = np.arange(600, dtype=np.uint16).reshape(2, 15, 20)
    expected = stock.add_image(values).histogram
    layer = here.add_image(values, name="counted")
    model = layer.histogram
    for viewer in (stock, here):
        viewer.dims.set_point(0, 0)
    model.enabled = True
    assert here._session._host.wait_until(lambda: np.array_equal(model.counts, expected.counts), 30)
    model.log_scale = expected.log_scale = True
    model.bins = expected.bins = 16
    assert here._session._host.wait_until(lambda: np.array_equal(model.counts, expected.counts), 30)
    for viewer in (stock, here):
        viewer.dims.set_point(0, 1)
    assert here._session._host.wait_until(lambda: np.array_equal(model.counts, expected.counts), 30)
    model.enabled = False
    here.layers.remove(layer)
    here.sync()


def test_commands_that_do_not_fit_are_refused_in_one_line(server: ServerProcess) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("layer.vanish", {}, "there is no command 'layer.vanish' here"),
        ("layer.remove", {}, "layer.remove: Object missing required field `layer`"),
        ("layer.remove", {"layer": "L99"}, "there is no layer 'L99' (any more)"),
        ("layer.histogram", {"layer": "L6"}, "layer 'cells' has no histogram"),
        ("layers.menu_action", {"action": "vanish", "selection": []}, "the layer menu has no entry 'vanish'"),
        ("layers.link", {"layers": []}, "napari refuses layers.link: ``layers`` iterable must have at least one layer"),
    ]
    with RawClient(server) as raw:
        for name, args, words in wrong:
            assert raw.refusals(m.Command(raw.next_intent(), name, args)) == {name: words}


def test_a_step_right_after_a_layer_of_more_dimensions_is_kept(
    here: RemoteViewer, capfd: pytest.CaptureFixture[str]
) -> None:
    """The server has not told yet how many there are now. What else follows from a layer is asked of nobody."""
    axes = here.dims.ndim
    for number in range(8):
        size = 200 if number % 2 else 20  # sent before the layer is made, or with it
        layer = here.add_image(np.zeros((9, *(axes - 3) * (1,), 3, size, size), np.uint8), name="of one more")
        here.dims.set_current_step(0, 1 + number)
        if number % 4 > 1:
            here.sync(60)
            assert here.dims.ndim == axes + 1
            assert here.dims.current_step[0] == 1 + number
        here.layers.remove(layer)
        if number % 3:
            here.sync(60)
            assert here.dims.ndim == axes
    here.sync(60)
    assert "refuses" not in capfd.readouterr().err


def test_layers_are_moved_right_after_they_were_made(here: RemoteViewer) -> None:
    before = list(here.layers)
    for name in ("one", "two", "three"):
        here.add_image(np.zeros((4, 4), np.uint8), name=name)
    here.layers.move(here.layers.index("three"), 0)
    here.layers.remove("two")
    here.layers.move(here.layers.index("one"), 1)
    here.sync(60)
    assert [layer.name for layer in here.layers] == ["three", "one", *(layer.name for layer in before)]
    for name in ("three", "one"):
        here.layers.remove(name)
    here.sync(60)
    assert list(here.layers) == before


def test_home_is_that_of_stock_napari(serve_scene: Serve, connect: Connect) -> None:
    """Points reach as far as the largest does: also for who did not make them, and once another is the largest."""
    server = serve_scene("flat", size=(320, 240))
    here, there, stock = connect(server), connect(server), ViewerModel()
    places = np.array([[3.0, 4.0], [30.0, 17.0], [9.0, 50.0]])
    here.layers.clear()
    for viewer in (here, stock):
        viewer.add_points(places, size=[2, 20, 7], name="points")
        viewer.reset_view()

    def same() -> bool:
        settle(here, there)
        stock.canvas.size = here.canvas.size
        found = []
        for viewer in (stock, here, there):
            viewer.reset_view()
            found.append((*viewer.camera.center, viewer.camera.zoom))
        return found[1:] == [pytest.approx(found[0], rel=1e-6)] * 2

    assert same()
    zoom = stock.camera.zoom
    for viewer in (here, stock):
        viewer.layers["points"].size = 3
    assert same()
    assert stock.camera.zoom > 1.1 * zoom
