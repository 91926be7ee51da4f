"""A session in a notebook: JupyterLab driven by a browser, and a notebook that a program runs."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image
from playwright.sync_api import Browser

from documented import blocks
from e2e.conftest import PATIENCE_S, View
from e2e.jupyter import Jupyter, Lab, jupyter_server, write_notebook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SERVE = """\
import hashlib, os, psutil
import numpy as np
import napari_cuda
ports = lambda: {c.laddr.port for c in psutil.Process().net_connections() if c.status == "LISTEN"}
before = ports()
y, x = np.mgrid[:120, :160]
session = napari_cuda.serve((100 + 100 * np.sin(x / 9) * np.cos(y / 7)).astype("f4"))
viewer = session.viewer
session"""
CONTRAST = "viewer.layers[0].contrast_limits = (0, 50)"
ASK = """\
digest = hashlib.sha256(session.screenshot().tobytes()).hexdigest()
print(digest, *viewer.layers[0].contrast_limits, len(viewer.layers), os.getpid(), len(ports() - before))"""
POINTS = "viewer.add_points([[50, 50], [100, 120]], size=20);"
LONG = "import time\ntime.sleep(12)"
"""Longer than a silent connection lives."""
AGAIN = "session"
CELLS = [SERVE, CONTRAST, ASK, POINTS, LONG, AGAIN]


@dataclass(frozen=True)
class Told:
    """What the kernel says of its session."""

    digest: str
    limits: tuple[float, float]
    layers: int
    pid: int
    new_ports: int


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A Jupyter server over an empty folder."""
    with jupyter_server(tmp_path_factory.mktemp("notebooks")) as jupyter:
        yield jupyter


def opened(browser: Browser, jupyter: Jupyter, name: str) -> tuple[Lab, View]:
    write_notebook(jupyter.folder / name, CELLS)
    page = browser.new_context(viewport={"width": 1300, "height": 1000}).new_page()
    return Lab(page).open(jupyter, name), View(page)


def told(lab: Lab) -> Told:
    """Have the kernel say how its session stands."""
    digest, low, high, layers, pid, new_ports = lab.run(2).split()
    return Told(digest, (float(low), float(high)), int(layers), int(pid), int(new_ports))


def digest_of(view: View) -> str:
    """Return the digest of the exact picture that the cell's canvas has."""
    return hashlib.sha256(view.exact().tobytes()).hexdigest()


def agreed(lab: Lab, view: View) -> Told:
    """Return how the session stands once the cell's canvas is what the kernel draws, byte for byte."""
    until_s = time.monotonic() + PATIENCE_S
    while (facts := told(lab)).digest != digest_of(view):
        assert time.monotonic() < until_s, "the cell does not show what the kernel draws"
    return facts


def test_a_session_lives_in_the_cells_of_jupyterlab(browser: Browser, jupyter: Jupyter) -> None:
    lab, view = opened(browser, jupyter, "lives.ipynb")
    page = view.page
    lab.run(0)
    view.rest()
    first = agreed(lab, view)
    assert first.limits == pytest.approx((0, 200), abs=1)

    lab.run(1)
    second = agreed(lab, view)
    assert second.limits == (0, 50)
    assert second.digest != first.digest

    x, y = view.center()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 25, steps=6)
    page.mouse.up()
    panned = agreed(lab, view)
    assert panned.digest != second.digest

    view.press("l")  # the panels, which a cell is too narrow for at first
    view.slide(view.control("contrast_limits").locator("input[type=range]").nth(1), 120)
    moved = agreed(lab, view)
    assert moved.limits[1] == pytest.approx(120, rel=0.02)

    lab.run(3)
    page.locator(".nc-layer").get_by_role("button", name="Points", exact=True).wait_for()
    with_points = agreed(lab, view)
    assert with_points.layers == 2
    assert with_points.digest != moved.digest

    # Folded away it keeps its size.
    lab.cell(0).locator(".jp-OutputCollapser").click()
    page.wait_for_selector(".nc-canvas", state="hidden")
    lab.run(1)
    lab.cell(0).locator(".jp-OutputPlaceholder").first.click()
    assert agreed(lab, view).limits == (0, 50)

    lab.run(5)
    page.wait_for_function(
        """() => [...document.querySelectorAll('.nc-canvas')].filter(canvas => canvas.dataset.exact).length === 2"""
    )
    assert told(lab).new_ports == 0
    page.context.close()


def test_pages_say_that_a_cell_is_at_work_and_go_on_after_it(browser: Browser, jupyter: Jupyter) -> None:
    lab, view = opened(browser, jupyter, "busy.ipynb")
    lab.run(0)
    view.rest()
    view.page.evaluate(
        """() => {
            window.phases = [];
            const root = document.querySelector('.nc-root');
            new MutationObserver(() => window.phases.push(root.dataset.phase))
                .observe(root, {attributes: true, attributeFilter: ['data-phase']});
        }"""
    )
    lab.run(4, wait=False)
    view.page.wait_for_selector("text=a cell of the notebook keeps the server at work")
    view.page.wait_for_selector("text=a cell of the notebook keeps the server at work", state="hidden")
    view.rest()
    assert set(view.page.evaluate("() => window.phases")) <= {"streaming"}, "the connection was lost"
    agreed(lab, view)

    # The page's button ends a cell as the notebook's does, and all goes on.
    lab.run(4, wait=False)
    view.page.locator(".nc-interrupt").click()
    lab.cell(4).locator(".jp-OutputArea-output", has_text="KeyboardInterrupt").first.wait_for()
    agreed(lab, view)
    view.page.context.close()


def test_a_kernel_that_is_restarted_ends_the_session_and_the_cell_begins_another(
    browser: Browser, jupyter: Jupyter
) -> None:
    lab, view = opened(browser, jupyter, "restart.ipynb")
    lab.run(0)
    view.rest()
    pid = agreed(lab, view).pid
    lab.restart()
    until_s = time.monotonic() + 60
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < until_s:
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{pid}"), "the kernel's process is still there"
    lab.wait_for_kernel()
    lab.run(0)
    view.rest()
    assert agreed(lab, view).pid != pid
    view.page.context.close()


def executed(*cells: str) -> nbformat.NotebookNode:
    """Run a notebook as nbclient does, without a page."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(text) for text in cells]
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    return notebook


def picture_of(output: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"]))))


def test_the_documented_cells(tmp_path: Path) -> None:
    """Those of docs/notebooks.md and of README.md, in one kernel."""
    cells = [blocks(document, "python")[0].text for document in ("docs/notebooks.md", "README.md")]
    notebook = executed("import numpy as np\narray = np.arange(2500.0).reshape(50, 50)", *cells)
    for cell in notebook.cells[1:]:
        (output,) = cell.outputs
        assert "application/vnd.jupyter.widget-view+json" in output["data"]
        assert len(np.unique(picture_of(output)[..., 0])) > 20, "it shows nothing"


def test_a_notebook_that_a_program_runs_saves_its_last_picture(tmp_path: Path) -> None:
    last = tmp_path / "last.npy"
    notebook = executed(
        # napari before us, and a viewer of the user's own.
        "import numpy as np\nfrom napari.components import ViewerModel\nviewer = ViewerModel()\n"
        "viewer.add_image(np.arange(2500.0).reshape(50, 50));",
        "import napari_cuda\nsession = napari_cuda.serve(viewer)\nsession",
        "viewer.layers[0].colormap = 'magma'",
        f"np.save({str(last)!r}, session.screenshot())\nprint(napari_cuda.serve(viewer) is session)",
        "import os, urllib.request\naddress = session.url()\n"
        "print(address.split('?')[0], os.getpid(), urllib.request.urlopen(address).status)",
    )
    (output,) = notebook.cells[1].outputs
    assert "application/vnd.jupyter.widget-view+json" in output["data"]
    assert np.array_equal(picture_of(output), np.load(last))
    assert len(np.unique(picture_of(output)[..., 0])) > 20, "it shows no magma"
    assert notebook.cells[3].outputs[0]["text"].strip() == "True"
    # The kernel ended with the notebook, and all of the session with it.
    address, pid, status = notebook.cells[4].outputs[0]["text"].split()
    assert status == "200"
    assert not os.path.exists(f"/proc/{pid}")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(address.split(":")[2].strip("/")))) != 0
