"""Fixtures of the browser tests: Debian's Chromium and Firefox, one for all tests of a file, and pages of real servers.

Waits are on what a page shows (data attributes that every painted picture sets, pixels), never on time.
"""

from __future__ import annotations

import base64
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, sync_playwright

import napari_cuda
from e2e import firefox_relay
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.netsim import NetSim
from napari_cuda.server_process import ServerProcess
from scene_server import SceneServer

CHROMIUM = "/usr/bin/chromium"
"""Debian's: scripts/setup installs it."""
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WINDOW = {"width": 800, "height": 560}
SIZE_STAYS_S = 0.5
"""Longer than the page waits with a new size."""

PATIENCE_S = 30.0

_PICTURE = """canvas => {
    const {width, height} = canvas;
    const bytes = canvas.getContext('2d').getImageData(0, 0, width, height).data;
    let text = '';
    for (let at = 0; at < bytes.length; at += 32768) {
        text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    }
    return [width, height, btoa(text)];
}"""
_RESTS = """revision => {
    const root = document.querySelector('.nc-root'), canvas = document.querySelector('.nc-canvas');
    return root?.dataset.phase === 'streaming' && root.dataset.settled === 'true'
        && Number(canvas.dataset.exact) >= Math.max(revision, Number(root.dataset.revision));
}"""


class View:
    """One page that shows a session."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(1000 * PATIENCE_S)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: line.type in ("error", "warning") and self._complained(line))

    def _complained(self, line: ConsoleMessage) -> None:
        if "willReadFrequently" not in line.text:  # it is the tests that read pixels
            self.complaints.append(f"{line.text} ({line.location.get('url', '')})")

    def open(self, url: str) -> View:
        """Go to a server's address; return when its exact picture is there."""
        self.page.goto(url)
        self.rest()
        return self

    @property
    def canvas(self) -> Locator:
        return self.page.locator(".nc-canvas")

    def rest(self, revision: int = 0) -> None:
        """Wait until all that was set, here and up to a revision, is on the canvas as an exact picture."""
        self.page.wait_for_function(_RESTS, arg=revision)

    @property
    def revision(self) -> int:
        """The newest revision that the page has heard of."""
        return int(self.page.locator(".nc-root").get_attribute("data-revision") or 0)

    def picture(self) -> npt.NDArray[np.uint8]:
        """Return (h, w, 4) uint8: what is on the canvas."""
        width, height, text = self.canvas.evaluate(_PICTURE)
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)

    def exact(self, revision: int = 0) -> npt.NDArray[np.uint8]:
        """Return what is on the canvas once it is at rest."""
        self.rest(revision)
        return self.picture()

    def control(self, name: str) -> Locator:
        """Return the line of a property in the controls of the active layer."""
        return self.page.locator(f'.nc-control[data-property="{name}"]')

    def field(self, name: str) -> Locator:
        """Return what the value of a property is set with."""
        return self.control(name).locator("input, select").first

    def slide(self, slider: Locator, value: float) -> None:
        """Put a slider's handle somewhere, as a hand does."""
        slider.evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }",
            value,
        )

    def put(self, field: Locator, value: object) -> None:
        """Type a value in place of that of a field. (In Firefox Playwright's `fill` adds to what a number says.)"""
        field.focus()
        field.press("Control+a")
        self.page.keyboard.type(str(value))
        self.page.keyboard.press("Enter")

    def select(self, layer: str) -> None:
        """Make a layer the active one."""
        self.page.locator(".nc-layer").get_by_role("button", name=layer, exact=True).click()
        self.page.wait_for_function(
            "name => document.querySelector('.nc-control-section h2').textContent === name", arg=layer
        )

    def button(self, name: str) -> Locator:
        """Return the button whose name begins so."""
        return self.page.locator(f'button[aria-label^="{name}"]').first

    def press(self, key: str) -> None:
        """Press a key with the canvas in use."""
        self.canvas.focus()
        self.page.keyboard.press(key)

    def center(self) -> tuple[float, float]:
        """Return the middle of the canvas, in the page's pixels."""
        box = self.canvas.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


class Watcher:
    """The server's model and framebuffer, as another client sees them."""

    def __init__(self, viewer: RemoteViewer) -> None:
        self.viewer = viewer

    def until(self, holds: Callable[[Any], object]) -> None:
        """Wait until the server's model is so."""
        until_s = time.monotonic() + PATIENCE_S
        while not holds(self.viewer):
            assert time.monotonic() < until_s, "the server's model did not become so"
            self.viewer.pump(0.02)

    def picture(self, revision: int = 0) -> npt.NDArray[np.uint8]:
        """Return the server's framebuffer, of a revision or a later one, proven by its hash."""
        self.until(lambda viewer: viewer.revision >= revision)
        return self.viewer.screenshot(60)

    def fits(self, view: View) -> None:
        """Wait until the server draws for the size that a page's canvas has, and that stays: sliders came or went."""
        fitted_s = time.monotonic()

        def stays(viewer: Any) -> bool:
            nonlocal fitted_s
            box = view.canvas.bounding_box()
            if box is None or list(viewer.canvas.size) != [round(box["height"]), round(box["width"])]:
                fitted_s = time.monotonic()
            return time.monotonic() - fitted_s > SIZE_STAYS_S

        self.until(stays)

    def same_as(self, view: View) -> bool:
        """Return whether a page's canvas is the server's framebuffer at rest, byte for byte."""
        picture = view.exact(self.viewer.sync())
        return np.array_equal(picture, self.picture(view.revision))


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module", params=["chromium", pytest.param("firefox", marks=pytest.mark.slow)])
def browser(playwright: Playwright, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """One browser for all tests of a file: first Chromium, then, with the slow tests, all again in Firefox."""
    browser = launched_firefox(playwright) if request.param == "firefox" else launched_chromium(playwright)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, for what can be done to it only."""
    browser = launched_chromium(playwright)
    yield browser
    browser.close()


def launched_chromium(playwright: Playwright, *arguments: str) -> Browser:
    """Start Debian's Chromium without a window."""
    must_be_there(CHROMIUM)
    return playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=[*ARGUMENTS, *arguments])


def launched_firefox(playwright: Playwright, **preferences: object) -> Browser:
    """Start Debian's Firefox without a window, driven by WebDriver BiDi (`firefox_relay.py`)."""
    must_be_there(firefox_relay.FIREFOX)
    # Playwright launches a file; the relay is a module of this environment.
    with tempfile.NamedTemporaryFile("w", prefix="firefox-", suffix=".sh", delete=False) as launcher:
        launcher.write(f'#!/bin/sh\nexec "{sys.executable}" "{firefox_relay.__file__}" "$@"\n')
    os.chmod(launcher.name, 0o700)
    try:
        return playwright.firefox.launch(
            channel="moz-firefox", executable_path=launcher.name, headless=True, firefox_user_prefs=dict(preferences)
        )
    finally:
        os.unlink(launcher.name)


def must_be_there(program: str) -> None:
    """Fail if a browser is not installed."""
    if not os.access(program, os.X_OK):
        pytest.fail(f"there is no {program}: scripts/setup test installs it")


@contextmanager
def opened_page(browser: Browser, url: str, script: str = "", **options: Any) -> Iterator[View]:
    """Open a page in a context (cookies) of its own; it has nothing to complain of. `script` runs before the page's."""
    context = browser.new_context(**({"viewport": WINDOW} | options))
    if script:
        context.add_init_script(script)
    view = View(context.new_page())
    try:
        yield view.open(url)
        assert view.complaints == []
    finally:
        context.close()


@pytest.fixture(scope="module")
def view(browser: Browser, server: SceneServer) -> Iterator[View]:
    """A page of the file's own server, for all of its tests."""
    with opened_page(browser, server.connect_url) as view:
        yield view


@pytest.fixture(scope="module")
def serve_scene() -> Iterator[Callable[..., SceneServer]]:
    """Start a server of a scene of `scenes.SCENES`; it ends with the module."""
    with ExitStack() as servers:
        yield lambda scene, **options: servers.enter_context(SceneServer(scene, **options))


@contextmanager
def watching(server: ServerProcess | NetSim) -> Iterator[Watcher]:
    """Connect another client, to look at the server's model."""
    with napari_cuda.connect(server.connect_url, window=False, timeout_s=60) as viewer:
        yield Watcher(viewer)


def moving_colors(view: View, watcher: Watcher) -> list[int]:
    """Hide and show the colour patches; return how far each moving picture was from the exact one in the middles."""
    watcher.viewer.sync()
    camera = watcher.viewer.scene.camera
    height, width = watcher.viewer.canvas.size
    places = [
        (
            round(width / 2 + (64 * column + 31.5 - camera.center[-1]) * camera.zoom),
            round(height / 2 + (64 * row + 31.5 - camera.center[-2]) * camera.zoom),
        )
        for row in range(4)
        for column in range(6)
    ]
    exact = view.exact()
    wanted = np.array([exact[y, x, :3] for x, y in places], int)
    return [np.abs(colors - wanted).max() for colors in moving_pixels(view, watcher, "patches", places)]


def moving_pixels(
    view: View, watcher: Watcher, layer: str, places: Sequence[tuple[int, int]]
) -> list[npt.NDArray[np.int64]]:
    """Hide and show a layer; return what each moving picture has at some places (x, y): (places, 3) RGB."""
    view.canvas.evaluate(
        """(canvas, places) => {
            window.watching?.disconnect();
            window.seen = [];
            const context = canvas.getContext('2d');
            window.watching = new MutationObserver(() => {
                if (canvas.dataset.exact !== undefined || window.seen.length > 8) return;
                const {width, height} = canvas, pixels = context.getImageData(0, 0, width, height).data;
                window.seen.push(places.map(([x, y]) => [...pixels.subarray(4 * (y * width + x)).subarray(0, 3)]));
            });
            window.watching.observe(canvas, {attributes: true, attributeFilter: ['data-seq']});
        }""",
        [list(place) for place in places],
    )
    watcher.viewer.layers[layer].visible = False
    watcher.viewer.sync()
    watcher.viewer.layers[layer].visible = True
    view.rest(watcher.viewer.sync())
    return [np.array(colors, np.int64) for colors in view.page.evaluate("() => window.seen")]


def saved(download_path: Path) -> npt.NDArray[np.uint8]:
    """Return the picture of a file, (h, w, 4) uint8."""
    from PIL import Image  # noqa: PLC0415 -- in one test only

    return np.asarray(Image.open(download_path).convert("RGBA"))
