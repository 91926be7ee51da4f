"""The page for everybody: what axe-core finds, light and dark, and what works by keyboard and without motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files

import pytest
from playwright.sync_api import Browser

from e2e.conftest import View, opened_page
from scene_server import SceneServer

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """async rules => {
    const found = await axe.run(document, {runOnly: rules});
    const why = node => node.any.concat(node.all).map(reason => reason.message).join('; ');
    return [found.passes.length, found.violations.flatMap(
        one => one.nodes.map(node => `${one.id}: ${node.target.join(' ')} (${why(node)})`))];
}"""


@pytest.fixture(scope="module")
def server(serve_scene: Callable[..., SceneServer]) -> SceneServer:
    return serve_scene("image and labels", size=(480, 360))


@pytest.fixture(scope="module")
def view(chromium: Browser, server: SceneServer) -> Iterator[View]:
    with opened_page(
        chromium, server.connect_url, viewport={"width": 1180, "height": 820}, reduced_motion="reduce"
    ) as view:
        view.page.evaluate(AXE)
        yield view


def violations(view: View) -> list[str]:
    """Return what axe-core has to say against the page as it is now."""
    passes, found = view.page.evaluate(_RUN, RULES)
    assert passes > 15, "axe looked at something"
    return list(found)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing(view: View, theme: str) -> None:
    if view.page.locator(".nc-root").get_attribute("data-theme") != theme:
        view.button("Light or dark").click()
        if view.page.locator(".nc-root").get_attribute("data-theme") != theme:
            view.button("Light or dark").click()
    for layer in ("volume", "cells"):
        view.select(layer)
        assert violations(view) == []
    view.page.locator(".nc-more > summary").click()
    view.press("i")
    view.button("Rename layer").click()
    assert violations(view) == []
    view.page.keyboard.press("Escape")
    view.press("i")
    view.page.locator(".nc-more > summary").click()
    for key in ("?", "o"):
        view.press(key)
        view.page.locator("dialog[open]").wait_for()
        assert violations(view) == []
        view.page.keyboard.press("Escape")


def test_everything_has_its_turn_with_the_tab_key(view: View) -> None:
    """In the order in which it is read, with a ring around what has the focus, and no trap."""
    view.page.reload()
    view.rest()
    places: list[str] = []
    for _ in range(120):
        view.page.keyboard.press("Tab")
        place, ring = view.page.evaluate(
            """() => {
                const on = document.activeElement;
                const area = on.closest('.nc-bar, .nc-section, .nc-stage, .nc-dims, .nc-foot');
                return [area?.className.split(' ').at(-1) ?? '', getComputedStyle(on).outlineStyle];
            }"""
        )
        if not place:
            break
        assert ring != "none"
        if not places or places[-1] != place:
            places.append(place)
    assert places == [
        "nc-bar", "nc-control-section", "nc-scene-section", "nc-layer-section", "nc-stage", "nc-dims",
    ]  # fmt: skip


def test_nothing_moves_for_who_wants_no_motion(view: View) -> None:
    durations = (
        "() => [...document.querySelectorAll('.nc-root *')].map(one => getComputedStyle(one).transitionDuration)"
    )
    assert set(view.page.evaluate(durations)) == {"0s"}
    view.page.emulate_media(reduced_motion="no-preference")
    assert set(view.page.evaluate(durations)) != {"0s"}
    view.page.emulate_media(reduced_motion="reduce")
