"""Where a browser decodes no video the page shows JPEG pictures, all else is as ever, and one line says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Playwright

from e2e.conftest import View, Watcher, launched_chromium, moving_colors, opened_page, watching
from scene_server import SceneServer

NO_DECODER = "delete globalThis.VideoDecoder; delete globalThis.EncodedVideoChunk;"
ELSEWHERE = "workstation.test"


@pytest.fixture(scope="module")
def server(serve_scene: Callable[..., SceneServer], browser: Browser) -> SceneServer:
    """One for each browser: its tests change the scene."""
    return serve_scene("patches", size=(480, 360))


@pytest.fixture(scope="module")
def view(browser: Browser, server: SceneServer) -> Iterator[View]:
    with opened_page(browser, server.connect_url, script=NO_DECODER) as view:
        yield view


@pytest.fixture(scope="module")
def watcher(server: SceneServer, view: View) -> Iterator[Watcher]:
    with watching(server) as watcher:
        yield watcher


def test_one_line_says_why_and_how_to_leave_it(view: View) -> None:
    line = view.page.locator(".nc-banner").inner_text()
    assert line.startswith("Compatibility mode, JPEG pictures: this browser decodes no H.264")
    assert "ssh" not in line, "the page is a secure one: a tunnel would not help"


def test_pictures_are_jpeg_and_the_resting_one_is_exact(view: View, watcher: Watcher) -> None:
    assert watcher.same_as(view)
    view.press("i")
    view.page.wait_for_function("() => /JPEG quality/.test(document.querySelector('.nc-hud').textContent)")
    view.press("i")


def test_moving_pictures_have_the_right_colours(view: View, watcher: Watcher) -> None:
    errors = moving_colors(view, watcher)
    # 0 would be an exact picture: it is the moving ones that are asked about.
    assert any(0 < error <= 3 for error in errors), errors


def test_controls_and_hands_work(view: View, watcher: Watcher) -> None:
    view.press("r")
    watcher.fits(view)
    before = view.exact()
    view.slide(view.field("opacity"), 0.5)
    watcher.until(lambda viewer: viewer.layers["patches"].opacity == 0.5)
    assert watcher.same_as(view)
    assert not np.array_equal(view.picture(), before)
    view.slide(view.field("opacity"), 1)
    x, y = view.center()
    view.page.mouse.move(x, y)
    view.page.mouse.down()
    view.page.mouse.move(x + 40, y + 24, steps=4)
    view.page.mouse.up()
    assert watcher.same_as(view)
    assert not np.array_equal(view.picture(), before)
    view.press("r")
    watcher.until(lambda viewer: viewer.layers["patches"].opacity == 1)
    assert np.array_equal(view.exact(watcher.viewer.sync()), before)


def test_plain_http_from_another_host_names_the_tunnel(playwright: Playwright, server: SceneServer) -> None:
    with launched_chromium(playwright, f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1") as browser:
        with (
            opened_page(browser, server.connect_url.replace("127.0.0.1", ELSEWHERE)) as view,
            watching(server) as watcher,
        ):
            assert view.page.evaluate("() => [isSecureContext, typeof VideoDecoder]") == [False, "undefined"]
            line = view.page.locator(".nc-banner").inner_text()
            assert f"ssh -L {server.port}:127.0.0.1:{server.port} {ELSEWHERE} " in line
            assert "--tls CERT KEY" in line
            assert watcher.same_as(view)


def test_a_decoder_that_never_works_is_given_up(browser: Browser, server: SceneServer) -> None:
    broken = "if (globalThis.VideoDecoder) VideoDecoder.prototype.decode = () => { throw new Error('no surfaces'); };"
    with opened_page(browser, server.connect_url, script=broken) as view, watching(server) as watcher:
        assert view.page.locator(".nc-banner").inner_text().startswith("Compatibility mode, JPEG")
        watcher.fits(view)  # the line took room
        assert watcher.same_as(view)
        view.press("g")
        watcher.until(lambda viewer: viewer.canvas.grid.enabled)
        view.press("g")
        watcher.until(lambda viewer: not viewer.canvas.grid.enabled)
        assert watcher.same_as(view)
