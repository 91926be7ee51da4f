"""The tools of the page: what the pointer does to labels and points on the server, and what is undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser

from e2e.conftest import View, Watcher, opened_page, watching
from scene_server import SceneServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(serve_scene: Callable[..., SceneServer], browser: Browser) -> SceneServer:
    """One for each browser: its tests change the scene."""
    return serve_scene("flat", size=(480, 360))


@pytest.fixture(scope="module")
def view(browser: Browser, server: SceneServer) -> Iterator[View]:
    with opened_page(browser, server.connect_url) as view:
        yield view


@pytest.fixture(scope="module")
def watcher(server: SceneServer, view: View) -> Iterator[Watcher]:
    with watching(server) as watcher:
        watcher.fits(view)
        yield watcher


def use(view: View, watcher: Watcher, layer: str, tool: str) -> None:
    """Take a tool of a layer by its button."""
    view.page.locator(f'.nc-tools [data-mode="{tool}"]').click()
    watcher.until(lambda viewer: viewer.layers[layer].mode == tool)


def drag(view: View, *places: tuple[float, float]) -> None:
    """Press at the first place, from the canvas's middle, go to the others and release."""
    x, y = view.center()
    view.page.mouse.move(x + places[0][0], y + places[0][1])
    view.page.mouse.down()
    for dx, dy in places[1:]:
        view.page.mouse.move(x + dx, y + dy, steps=6)
    view.page.mouse.up()


def agree(view: View, watcher: Watcher) -> None:
    """Wait until the page shows the server's framebuffer: what is under the pointer is lit up a moment later."""
    watcher.until(lambda _viewer: watcher.same_as(view))


def shows(view: View, watcher: Watcher, picture: npt.NDArray[np.uint8]) -> None:
    """Wait until the page shows a picture of before."""
    watcher.until(lambda viewer: np.array_equal(view.exact(viewer.sync()), picture))


def differs(view: View, watcher: Watcher, picture: npt.NDArray[np.uint8]) -> None:
    """Wait until the page shows another picture."""
    watcher.until(lambda viewer: not np.array_equal(view.exact(viewer.sync()), picture))


def test_labels_are_painted_filled_picked_erased_and_undone(view: View, watcher: Watcher) -> None:
    view.select("labels")
    before = view.exact()
    view.put(view.field("selected_label"), 7)
    watcher.until(lambda viewer: viewer.layers["labels"].selected_label == 7)
    use(view, watcher, "labels", "paint")
    drag(view, (-40, 0), (40, 0))
    brush = view.page.locator(".nc-brush").bounding_box()
    x, y = view.center()
    across = watcher.viewer.layers["labels"].brush_size * watcher.viewer.scene.camera.zoom
    assert brush is not None and abs(brush["width"] - across) <= 3, "as large as what it paints, and its line"
    assert abs(brush["x"] + brush["width"] / 2 - (x + 40)) <= 2
    agree(view, watcher)
    painted = view.picture()
    assert not np.array_equal(painted, before)
    use(view, watcher, "labels", "erase")
    drag(view, (-20, 0), (20, 0))
    agree(view, watcher)
    erased = view.picture()
    assert not np.array_equal(erased, painted)
    view.button("Undo").click()
    shows(view, watcher, painted)
    view.press("Control+z")
    shows(view, watcher, before)
    view.button("Redo").click()
    shows(view, watcher, painted)
    view.button("Undo").click()
    use(view, watcher, "labels", "fill")
    x, y = view.center()
    view.page.mouse.click(x + 20, y + 20)
    differs(view, watcher, before)
    view.button("Undo").click()
    shows(view, watcher, before)
    use(view, watcher, "labels", "pick")
    view.page.mouse.click(x + 20, y + 20)
    watcher.until(lambda viewer: viewer.layers["labels"].selected_label != 7)
    view.press("Escape")
    watcher.until(lambda viewer: viewer.layers["labels"].mode == "pan_zoom")
    view.button("New label").click()
    watcher.until(lambda viewer: viewer.layers["labels"].selected_label > 90)


def test_points_are_added_selected_moved_and_deleted(view: View, watcher: Watcher) -> None:
    view.select("points")
    before = view.exact()
    use(view, watcher, "points", "add")
    x, y = view.center()
    view.page.mouse.click(x + 5, y + 9)
    differs(view, watcher, before)
    agree(view, watcher)
    added = view.picture()
    use(view, watcher, "points", "select")
    view.page.mouse.click(x + 5, y + 9)
    drag(view, (5, 9), (60, 50))
    view.page.mouse.move(x - 60, y - 50)
    differs(view, watcher, added)
    agree(view, watcher)
    view.button("Delete selected points").click()
    use(view, watcher, "points", "pan_zoom")
    shows(view, watcher, before)


def test_the_scale_bar_and_axes_are_set_in_the_view_panel(view: View, watcher: Watcher) -> None:
    panel = view.page.locator(".nc-scene-section")
    panel.locator("summary").first.click()
    watcher.fits(view)
    before = view.exact(watcher.viewer.sync())
    bar = view.page.locator('[data-property="scale_bar.visible"] input')
    bar.check()
    watcher.until(lambda viewer: viewer.canvas.overlays.scale_bar.visible)
    with_bar = view.exact(watcher.viewer.sync())
    assert not np.array_equal(with_bar, before)
    view.page.locator('[data-group="scale_bar"] > summary').click()
    view.page.locator('[data-property="scale_bar.position"] select').select_option("top_left")
    watcher.until(lambda viewer: viewer.canvas.overlays.scale_bar.position == "top_left")
    differs(view, watcher, with_bar)
    view.page.locator('[data-property="scale_bar.position"] select').select_option("bottom_right")
    bar.uncheck()
    shows(view, watcher, before)
    panel.locator("summary").first.click()
