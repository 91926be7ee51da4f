"""Every control of the browser page changes the server's model, and the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from playwright.sync_api import Browser

from e2e.conftest import View, Watcher, opened_page, saved, watching
from napari_cuda.server_process import ServerProcess
from scene_server import SceneServer


@pytest.fixture(scope="module")
def server(serve_scene: Callable[..., SceneServer], browser: Browser) -> SceneServer:
    """One for each browser: its tests change the scene."""
    return serve_scene("image and labels", size=(480, 360))


@pytest.fixture(scope="module")
def view(browser: Browser, server: SceneServer) -> Iterator[View]:
    with opened_page(browser, server.connect_url) as view:
        yield view


@pytest.fixture(scope="module")
def watcher(server: SceneServer, view: View) -> Iterator[Watcher]:
    """Connected after the page: the canvas has the page's size."""
    with watching(server) as watcher:
        yield watcher


@pytest.mark.parametrize(
    ("layer", "name", "value", "shown"),
    [
        ("volume", "opacity", 0.37, True),
        ("volume", "gamma", 2.5, True),
        ("volume", "colormap", "viridis", True),
        ("volume", "interpolation2d", "linear", True),
        ("volume", "projection_mode", "max", False),
        ("cells", "opacity", 0.9, True),
        ("cells", "blending", "additive", True),
        ("cells", "contour", 1, False),  # each cell is one pixel
        ("cells", "selected_label", 3, False),
        ("cells", "show_selected_label", True, True),
        ("cells", "brush_size", 7, False),
    ],
)
def test_a_control_sets_its_property(
    view: View, watcher: Watcher, layer: str, name: str, value: object, shown: bool
) -> None:
    view.select(layer)
    before = view.exact()
    field = view.field(name)
    kind = field.get_attribute("type") or "select"
    if kind == "range":
        view.slide(field, value)
    elif kind == "checkbox":
        field.set_checked(bool(value))
    elif kind == "select":
        field.select_option(value)
    else:
        view.put(field, value)
    watcher.until(lambda viewer: _plain(getattr(viewer.layers[layer], name)) == value)
    assert watcher.same_as(view)
    assert np.array_equal(view.picture(), before) != shown


def _plain(value: object) -> object:
    return getattr(value, "name", value) if not isinstance(value, (int, float, str)) else value


def test_every_writable_property_of_a_simple_kind_has_a_control(view: View) -> None:
    facts = view.page.evaluate("() => fetch('page.json').then(answer => answer.json())")
    view.select("volume")
    there = set(view.page.locator(".nc-control").evaluate_all("all => all.map(one => one.dataset.property)"))
    simple = {"bool", "number", "text", "choice", "color", "colormap_value"}
    wanted = {
        row["name"]
        for row in facts["properties"]
        if row["scope"] in ("layer", "layer:image") and row["writable"] and row["type"]["type"] in simple
    }
    only_in_3d = {"rendering", "iso_threshold", "attenuation", "interpolation3d", "depiction"}
    assert wanted - there == only_in_3d | {"name", "visible", "mode"}  # these are in the list and tools
    assert len(there) > 50


def test_colors_are_shown_and_set(view: View, watcher: Watcher) -> None:
    points = watcher.viewer.add_points([[1.0, 1.0, 1.0]], name="spots", border_color="dimgrey")
    watcher.viewer.sync(30)
    view.select("spots")
    assert view.field("face_color").input_value() == "#ffffff", "white, which is what is set first"
    assert view.field("border_color").input_value() == "#696969"
    view.field("face_color").fill("#ff8000")
    watcher.until(lambda viewer: np.allclose(viewer.layers["spots"].face_color, [[1, 0.501961, 0, 1]], atol=1e-5))
    watcher.viewer.layers.remove(points)
    watcher.viewer.sync(30)
    view.select("volume")


def test_contrast_limits_and_autoscale(view: View, watcher: Watcher) -> None:
    view.select("volume")
    view.button("Show everything").click()
    before = view.exact()
    handles = view.control("contrast_limits").locator("input")
    view.slide(handles.first, 100)
    watcher.until(lambda viewer: viewer.layers["volume"].contrast_limits == [100, 255])
    view.slide(handles.last, 50)  # not below the other
    watcher.until(lambda viewer: viewer.layers["volume"].contrast_limits[1] < 101)
    assert watcher.same_as(view)
    assert not np.array_equal(view.picture(), before)
    view.page.get_by_role("button", name="Autoscale").click()
    watcher.until(lambda viewer: viewer.layers["volume"].contrast_limits == [0, 255])
    assert np.array_equal(view.exact(), before)


def test_layers_are_hidden_renamed_and_reordered(view: View, watcher: Watcher) -> None:
    before = view.exact()
    view.button("Hide cells").click()
    watcher.until(lambda viewer: not viewer.layers["cells"].visible)
    assert watcher.same_as(view)
    assert not np.array_equal(view.picture(), before)
    view.button("Show cells").click()
    assert np.array_equal(view.exact(), before)
    view.select("cells")
    view.press("v")
    watcher.until(lambda viewer: not viewer.layers["cells"].visible)
    view.press("v")
    watcher.until(lambda viewer: viewer.layers["cells"].visible)
    view.button("Move layer down").click()
    watcher.until(lambda viewer: [layer.name for layer in viewer.layers] == ["cells", "volume"])
    assert watcher.same_as(view)
    assert not np.array_equal(view.picture(), before)
    rows = view.page.locator(".nc-layer")
    firefox = view.page.context.browser.browser_type.name == "firefox"
    if firefox:  # BiDi drags nothing there: by keys, then
        rows.nth(1).locator(".nc-pick").press("Alt+ArrowUp")
    else:
        rows.nth(1).drag_to(rows.nth(0))
    watcher.until(lambda viewer: [layer.name for layer in viewer.layers] == ["volume", "cells"])
    view.button("Rename layer").click()
    view.page.keyboard.type("nuclei")
    view.page.keyboard.press("Enter")
    watcher.until(lambda viewer: "nuclei" in viewer.layers)
    name = view.page.locator(".nc-layer").get_by_role("button", name="nuclei", exact=True)
    if firefox:  # nor was a double click one there
        name.press("F2")
    else:
        name.dblclick()
    view.page.keyboard.type("cells")
    view.page.keyboard.press("Enter")
    watcher.until(lambda viewer: "cells" in viewer.layers)
    assert np.array_equal(view.exact(), before)


def test_sliders_step_and_play(view: View, watcher: Watcher) -> None:
    slider = view.page.locator(".nc-dim input[type=range]")
    before = view.exact()
    view.slide(slider, 7)
    watcher.until(lambda viewer: viewer.dims.point[0] == 7)
    assert watcher.same_as(view)
    assert not np.array_equal(view.picture(), before)
    view.press("ArrowLeft")
    watcher.until(lambda viewer: viewer.dims.point[0] == 6)
    view.put(view.page.locator(".nc-step"), 2)
    watcher.until(lambda viewer: viewer.dims.point[0] == 2)
    seen = set()
    view.press(" ")

    def all_seen(viewer: object) -> bool:
        seen.add(viewer.dims.point[0])
        return len(seen) >= 6

    watcher.until(all_seen)
    view.press(" ")
    assert watcher.same_as(view)


def test_pan_zoom_and_home(view: View, watcher: Watcher) -> None:
    view.press("r")
    home = view.exact()
    watcher.viewer.sync()
    center, zoom = watcher.viewer.scene.camera.center, watcher.viewer.scene.camera.zoom
    x, y = view.center()
    view.page.mouse.move(x, y)
    view.page.mouse.down()
    view.page.mouse.move(x + 40, y + 24, steps=4)
    # What is drawn at once is the picture of before, moved: no answer of the server is needed.
    view.page.mouse.up()
    watcher.until(lambda viewer: abs(viewer.scene.camera.center[-1] - (center[-1] - 40 / zoom)) < 1e-6)
    assert abs(watcher.viewer.scene.camera.center[-2] - (center[-2] - 24 / zoom)) < 1e-6
    assert watcher.same_as(view)
    assert np.abs(view.picture()[24:, 40:].astype(int) - home[:-24, :-40]).mean() < 2
    view.page.mouse.wheel(0, -200)
    watcher.until(lambda viewer: viewer.scene.camera.zoom > 1.1 * zoom)
    assert watcher.same_as(view)
    view.button("Show everything").click()
    watcher.until(lambda viewer: abs(viewer.scene.camera.zoom - zoom) < 1e-9)
    assert np.array_equal(view.exact(), home)


def test_home_is_naparis_own(view: View, watcher: Watcher) -> None:
    for ndisplay in (2, 3):
        watcher.viewer.dims.ndisplay = ndisplay
        watcher.viewer.sync()
        watcher.viewer.reset_view()
        watcher.viewer.sync()
        camera = watcher.viewer.scene.camera
        center, zoom = camera.center[-ndisplay:], camera.zoom
        camera.zoom, camera.center = 0.3 * camera.zoom, (1.0, 2.0, 3.0)
        watcher.viewer.sync()
        view.rest()
        view.press("r")
        watcher.until(lambda viewer, zoom=zoom: abs(viewer.scene.camera.zoom - zoom) < 1e-6 * zoom)
        assert np.allclose(watcher.viewer.scene.camera.center[-ndisplay:], center)
    watcher.viewer.dims.ndisplay = 2
    watcher.viewer.sync()
    view.press("r")


def test_three_dimensions(view: View, watcher: Watcher) -> None:
    view.press("r")
    watcher.fits(view)
    assert watcher.same_as(view)
    flat = view.picture()
    view.button("Show in 3D").click()
    watcher.until(lambda viewer: viewer.dims.ndisplay == 3)
    assert watcher.same_as(view)
    solid = view.picture()
    assert not np.array_equal(solid, flat)
    view.select("volume")
    view.field("rendering").select_option("average")
    watcher.until(lambda viewer: viewer.layers["volume"].rendering == "average")
    assert watcher.same_as(view)
    angles = watcher.viewer.scene.camera.angles
    x, y = view.center()
    view.page.mouse.move(x, y)
    view.page.mouse.down()
    view.page.mouse.move(x + 60, y - 30, steps=3)
    view.page.mouse.up()
    watcher.until(lambda viewer: not np.allclose(viewer.scene.camera.angles, angles))
    assert watcher.same_as(view)
    view.field("rendering").select_option("mip")
    view.press("r")
    view.press("y")
    watcher.until(lambda viewer: viewer.dims.ndisplay == 2)
    watcher.fits(view)
    assert watcher.same_as(view)
    assert np.array_equal(view.picture(), flat)


def test_grid(view: View, watcher: Watcher) -> None:
    before = view.exact()
    view.button("Grid").click()
    watcher.until(lambda viewer: viewer.canvas.grid.enabled)
    assert watcher.same_as(view)
    assert not np.array_equal(view.picture(), before)
    view.press("g")
    watcher.until(lambda viewer: not viewer.canvas.grid.enabled)
    assert np.array_equal(view.exact(), before)


def test_the_value_under_the_cursor_is_the_datas(view: View, watcher: Watcher) -> None:
    watcher.viewer.sync()
    view.rest()
    camera = watcher.viewer.scene.camera
    view.select("cells")
    x, y = view.center()
    view.page.mouse.move(x + 3.2 * camera.zoom, y - 2.3 * camera.zoom)
    at_y, at_x = round(camera.center[-2] - 2.3), round(camera.center[-1] + 3.2)
    step = int(watcher.viewer.dims.point[0])
    volume = np.random.default_rng(6).integers(0, 256, (10, 64, 80), np.uint8)
    value = volume[:, ::-1][step, at_y, at_x] // 32
    view.page.wait_for_function(
        "text => document.querySelector('.nc-value').textContent === text",
        arg=f"cells [{step}, {at_y}, {at_x}]: {value}",
    )


def test_a_screenshot_is_the_exact_picture(
    chromium: Browser, server: SceneServer, watcher: Watcher, tmp_path: Path
) -> None:
    # Firefox's BiDi tells Playwright of no download.
    with opened_page(chromium, server.connect_url) as view:
        with view.page.expect_download() as download:
            view.button("Save the exact picture").click()
        download.value.save_as(tmp_path / "page.png")
        assert np.array_equal(saved(tmp_path / "page.png"), watcher.picture(view.revision))


def test_full_screen(chromium: Browser, server: SceneServer) -> None:
    # Firefox without a window has no screen to fill.
    with opened_page(chromium, server.connect_url) as view:
        view.press("f")
        view.page.wait_for_function("() => document.fullscreenElement?.classList.contains('nc-root')")
        view.press("f")
        view.page.wait_for_function("() => document.fullscreenElement === null")
        view.rest()


def test_help_figures_and_themes(view: View) -> None:
    view.press("?")
    assert view.page.get_by_role("dialog", name="Keys and gestures").is_visible()
    view.page.keyboard.press("Escape")
    view.press("i")
    view.page.wait_for_function("() => /pictures\\/s/.test(document.querySelector('.nc-hud').textContent)")
    view.press("i")
    ground = "() => getComputedStyle(document.querySelector('.nc-root')).backgroundColor"
    before = view.page.evaluate(ground)
    view.button("Light or dark").click()
    assert view.page.evaluate(ground) != before
    view.button("Light or dark").click()
    view.rest()


def test_a_refusal_is_told_and_the_control_springs_back(view: View, watcher: Watcher) -> None:
    view.select("volume")
    view.page.locator(".nc-more > summary").click()
    field = view.control("scale").locator("input").first
    view.put(field, 0)
    view.page.wait_for_function("() => /other than 0/.test(document.querySelector('.nc-notes').textContent)")
    field.blur()
    view.page.wait_for_function("() => document.querySelector('[data-property=scale] input').value === '1'")
    view.page.locator(".nc-more > summary").click()


def test_touch_moves_pinches_and_turns(chromium: Browser, server: ServerProcess, watcher: Watcher) -> None:
    with opened_page(chromium, server.connect_url, has_touch=True, viewport={"width": 700, "height": 500}) as tablet:
        watcher.viewer.sync()
        zoom = watcher.viewer.scene.camera.zoom
        center = watcher.viewer.scene.camera.center
        x, y = tablet.center()
        touch = tablet.page.context.new_cdp_session(tablet.page)

        def fingers(kind: str, *places: tuple[float, float]) -> None:
            points = [{"x": px, "y": py, "id": index} for index, (px, py) in enumerate(places)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        fingers("touchStart", (x, y))
        for step in range(1, 6):
            fingers("touchMove", (x + 6 * step, y))
        fingers("touchEnd")
        watcher.until(lambda viewer: viewer.scene.camera.center[-1] < center[-1] - 20 / zoom)
        fingers("touchStart", (x - 30, y), (x + 30, y))
        for step in range(1, 6):
            fingers("touchMove", (x - 30 - 6 * step, y), (x + 30 + 6 * step, y))
        fingers("touchEnd")
        watcher.until(lambda viewer: viewer.scene.camera.zoom > 1.8 * zoom)
        assert watcher.same_as(tablet)
        tablet.press("y")
        watcher.until(lambda viewer: viewer.dims.ndisplay == 3)
        tablet.press("r")
        watcher.viewer.sync()
        before = tablet.exact(watcher.viewer.sync())
        angles = np.array(watcher.viewer.scene.camera.angles)
        fingers("touchStart", (x - 60, y), (x + 60, y))
        for degrees in range(5, 35, 5):
            way = 60 * np.cos(np.radians(degrees)), 60 * np.sin(np.radians(degrees))
            fingers("touchMove", (x - way[0], y - way[1]), (x + way[0], y + way[1]))
        fingers("touchEnd")
        # About the line of sight and no other; the page is told of one finger after the other.
        watcher.until(lambda viewer: 20 < abs(viewer.scene.camera.angles[0] - angles[0]) < 31)
        assert np.allclose(watcher.viewer.scene.camera.angles[1:], angles[1:], atol=1e-6)
        assert not np.array_equal(tablet.exact(watcher.viewer.sync()), before)
        tablet.press("y")
        watcher.until(lambda viewer: viewer.dims.ndisplay == 2)


def test_layers_are_opened_from_the_served_folders_and_removed(
    browser: Browser, tmp_path: Path, rng: np.random.Generator
) -> None:
    (tmp_path / "day 1").mkdir()
    tifffile.imwrite(tmp_path / "day 1" / "spots.tif", rng.integers(0, 255, (64, 80), np.uint8))
    server = ServerProcess(["--root", str(tmp_path), "--size", "320x240"])
    with server, opened_page(browser, server.connect_url) as view, watching(server) as watcher:
        empty = view.picture()
        view.press("o")
        entry = view.page.locator(".nc-entry")
        entry.filter(has_text=tmp_path.name).click()
        entry.filter(has_text="day 1").click()
        entry.filter(has_text="spots.tif").click()
        watcher.until(lambda viewer: len(viewer.layers) == 1)
        view.select("spots")
        assert watcher.same_as(view)
        assert not np.array_equal(view.picture(), empty)
        view.button("Remove layer").click()
        watcher.until(lambda viewer: len(viewer.layers) == 0)
        assert watcher.same_as(view)
