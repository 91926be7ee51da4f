"""A script in the page: which of its viewers is seen, what it is busy with, and interrupting it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from e2e.conftest import View, opened_page
from served_script import run_script

pytestmark = pytest.mark.slow

SCRIPT = """
import napari
import numpy as np
a, b = napari.Viewer(title="maps"), napari.Viewer(title="cells & more")
a.add_image(np.eye(8), name="of a")
layer = b.add_labels(np.eye(9, dtype=int), name="of b")
def count(event):
    total = 0
    while layer.opacity < 0.5:
        total += 1
layer.events.opacity.connect(count)
napari.run()
"""


@pytest.fixture(scope="module")
def view(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    script = tmp_path_factory.mktemp("scripts") / "work.py"
    script.write_text(SCRIPT)
    with run_script(script) as server, opened_page(browser, server.connect_url) as view:
        yield view


def shows(view: View, layer: str) -> None:
    """Wait until there is one layer, of this name."""
    view.page.locator(".nc-layer").get_by_role("button", name=layer, exact=True).wait_for()
    assert view.page.locator(".nc-layer").count() == 1


def test_a_viewer_of_the_script_is_chosen(view: View) -> None:
    chooser = view.page.get_by_label("Viewer of the script")
    assert chooser.locator("option").all_inner_texts() == ["1: maps", "2: cells & more"]
    assert chooser.input_value() == "2"
    shows(view, "of b")
    of_b = view.exact()
    chooser.select_option("1")
    shows(view, "of a")
    assert (view.exact() != of_b).any()
    chooser.select_option("2")
    shows(view, "of b")
    assert (view.exact() == of_b).all()


def test_the_page_says_where_the_script_is_and_interrupts_it(view: View) -> None:
    view.slide(view.field("opacity"), 0.25)
    state = view.page.locator(".nc-state")
    view.page.wait_for_function(
        "() => document.querySelector('.nc-state').textContent.startsWith('work.py is at line')"
    )
    state.get_by_role("button", name="Interrupt").click()
    view.page.wait_for_function("() => document.querySelector('.nc-state').hidden")
    note = view.page.locator(".nc-note span").first.inner_text()
    assert note.startswith("work.py was interrupted, and the server goes on:")
    assert "in count" in note and note.endswith("KeyboardInterrupt")
    view.rest()
