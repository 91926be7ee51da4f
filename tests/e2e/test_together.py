"""Window, page and a notebook's widget at one session: whatever they do, all end equal to the server."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser

from e2e.browser_hand import REMEMBER_MODULES, BrowserHand, take_canvas, unlike
from e2e.conftest import PATIENCE_S, View, opened_page
from e2e.jupyter import Jupyter, Lab, jupyter_server, write_notebook
from gl_window import require_display
from integration.conftest import connected_window
from monkey import Monkey, differences, untold
from napari_cuda.client.qt.window import StreamedViewer
from raw_client import RawClient

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(900)]

SEED = 11
FEWEST_ACTIONS = 100
"""However slow the machine is: the same ones each time, for chance is seeded."""
MOST_TOLD = 60
TESTS = Path(__file__).parents[1]
SERVE = f"""\
import sys
sys.path.insert(0, {str(TESTS)!r})
from napari.components import ViewerModel
from scenes import SCENES
import napari_cuda
viewer = ViewerModel()
SCENES["every kind"](viewer)
session = napari_cuda.serve(viewer)
session"""
URL = "print(session.url())"
STEP = f"""\
from kernel_hand import KernelHand
hand = globals().get("hand") or KernelHand(viewer, {SEED})
print(hand.act())"""
TELL = """\
import hashlib, json
from napari_cuda.layer_state import layer_values
import numpy as np
canvas = session._live.server.stage.canvas
whole = session.screenshot()
scene = np.empty_like(whole)
canvas.set_detail(canvas.detail_at_rest)
asked = canvas.needs_draw
canvas.draw_into(scene)
if asked:
    canvas.request_draw()  # what the session still has to draw it still has to
digests = [hashlib.sha256(picture.tobytes()).hexdigest() for picture in (whole, scene)]
print(json.dumps([digests, {layer.name: layer_values(layer) for layer in viewer.layers}]))"""
CELLS = [SERVE, URL, STEP, TELL]


@dataclass(frozen=True)
class Address:
    """Where the kernel's server listens."""

    connect_url: str

    @property
    def port(self) -> int:
        port = urlsplit(self.connect_url).port
        assert port is not None
        return port

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.connect_url).query)["token"][0]


@dataclass(frozen=True)
class Told:
    """What the kernel says: digests of its picture, with overlays and without, and the values of its layers."""

    whole: str
    scene: str
    values: dict[str, Any]


class Notebook:
    """A notebook whose kernel serves the session, and whose first cell shows it."""

    def __init__(self, browser: Browser, jupyter: Jupyter) -> None:
        write_notebook(jupyter.folder / "together.ipynb", CELLS)
        page = browser.new_context(viewport={"width": 1300, "height": 1000}).new_page()
        page.add_init_script(REMEMBER_MODULES)
        self.lab = Lab(page).open(jupyter, "together.ipynb")
        self.view = View(page)
        self.lab.run(0)
        self.view.rest()
        self.view.press("l")  # the panels, which a cell is too narrow for at first
        page.wait_for_selector(".nc-control", state="visible")

    def told(self) -> Told:
        """Have the kernel say how its session stands."""
        (whole, scene), values = json.loads(self.lab.run(3))
        return Told(whole, scene, values)


def digest(picture: npt.NDArray[np.uint8]) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()


class Together:
    """The three, and chance, which has each of them do something."""

    def __init__(self, notebook: Notebook, page: View, window: StreamedViewer) -> None:
        self.notebook, self.window = notebook, window
        chance = random.Random(SEED)
        self.chance = chance
        self.views = {"page": page, "widget": notebook.view}
        self.hands = {name: BrowserHand(view, chance) for name, view in self.views.items()}
        self.monkey = Monkey([window], SEED)
        self.actions: list[str] = []

    def act(self) -> None:
        """Have one of them do something."""
        (who,) = self.chance.choices(["window", "page", "widget", "cell"], [40, 30, 25, 5])
        if who in self.hands:
            what = self.hands[who].act()
        elif who == "cell":
            what = self.notebook.lab.run(2)
        else:
            before = self.monkey.done.copy()
            self.monkey.act()
            what = ", ".join(self.monkey.done - before)
        self.actions.append(f"{who}: {what}")

    def rest(self) -> None:
        """Wait until each has heard what all others did."""
        for _ in range(2):
            revision = self.window.sync(PATIENCE_S)
            for view in self.views.values():
                view.rest(revision)

    def differences(self, address: Address) -> list[str]:
        """Return what one of them shows otherwise than the server, or the server never told."""
        with RawClient(address) as raw:
            truth = raw.snapshot
        found = differences({"window": self.window}, truth) + untold(truth, self.notebook.told().values)
        for name, hand in self.hands.items():
            found += unlike(name, hand.known(), truth)
        return found


def same_picture(told: Callable[[], str], shown: Callable[[], str]) -> bool:
    """Return whether a client's exact picture becomes the kernel's, byte for byte: its canvas has just come."""
    until_s = time.monotonic() + PATIENCE_S
    while told() != shown():
        if time.monotonic() > until_s:
            return False
    return True


def test_window_page_and_notebook_end_equal_to_the_server(
    chromium: Browser, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    require_display()
    seconds = pytestconfig.getoption("--together-seconds")
    with ExitStack() as stack:
        folder = tmp_path / "notebooks"
        folder.mkdir()
        jupyter = stack.enter_context(jupyter_server(folder))
        notebook = Notebook(chromium, jupyter)
        address = Address(notebook.lab.run(1))
        page = stack.enter_context(opened_page(chromium, address.connect_url, script=REMEMBER_MODULES))
        window = stack.enter_context(connected_window(address))
        together = Together(notebook, page, window)
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s or len(together.actions) < FEWEST_ACTIONS:
            together.act()
            window.pump(0.01)
        done = {name: dict(hand.done) for name, hand in together.hands.items()}
        print(f"{len(together.actions)} actions in {seconds:g} s: {dict(together.monkey.done)} {done}")
        together.rest()
        found = together.differences(address)
        assert not found, "\n".join([*found, "after:", *together.actions[-MOST_TOLD:]])

        for name, view in together.views.items():
            take_canvas(view.page, 8)
            same = same_picture(lambda: notebook.told().whole, lambda view=view: digest(view.exact()))
            assert same, f"the {name} does not show what the kernel draws"
        _, _, width, height = window.window.geometry()
        window.window.resize(width - 20, height)
        window.pump(0.5)
        assert same_picture(lambda: notebook.told().scene, lambda: digest(window.exact_screenshot()))
        for name, hand in together.hands.items():
            assert hand.done.total() > hand.missed.total(), f"the {name} did little: {hand.missed}"
        notebook.lab.page.context.close()
