"""A real Jupyter server on this machine, and its notebook page in a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page

TOKEN = "a-token-of-the-test-only"
STARTED_WITHIN_S = 90.0
CELL_WITHIN_MS = 90_000


@dataclass(frozen=True)
class Jupyter:
    """A Jupyter server that runs; `folder` is its root."""

    url: str
    folder: Path

    def lab(self, notebook: str) -> str:
        # A workspace of its own: else the notebooks of before come back with it.
        return f"{self.url}lab/workspaces/{Path(notebook).stem}/tree/{notebook}?token={TOKEN}"


@contextmanager
def jupyter_server(folder: Path, *options: str) -> Iterator[Jupyter]:
    """Run JupyterLab's server over a folder, with nothing of the user's, on loopback."""
    own = folder.parent / f"{folder.name}-jupyter"
    places = {name: str(own / name) for name in ("config", "data", "runtime")}
    environment = os.environ | {f"JUPYTER_{name.upper()}_DIR": place for name, place in places.items()}
    environment |= {"JUPYTER_PREFER_ENV_PATH": "1"}
    own.mkdir()
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", "--ServerApp.ip=127.0.0.1",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}", "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", *options,
    ]  # fmt: skip
    with (own / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield Jupyter(_address(server, own), folder)
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _address(server: subprocess.Popen[bytes], own: Path) -> str:
    """Return where a server answers, once it says so."""
    until_s = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < until_s and server.poll() is None:
        for file in (own / "runtime").glob("jpserver-*.json"):
            if text := file.read_text():
                return str(json.loads(text)["url"])
        time.sleep(0.1)
    raise AssertionError(f"Jupyter did not start:\n{(own / 'log').read_text()[-2000:]}")


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook of cells of code that were not run."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(text) for text in cells]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


class Lab:
    """The page of a notebook in JupyterLab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, jupyter: Jupyter, notebook: str) -> Lab:
        """Go to a notebook; return when its kernel waits for cells."""
        self.page.goto(jupyter.lab(notebook))
        self.wait_for_kernel()
        return self

    def wait_for_kernel(self) -> None:
        self.page.wait_for_selector("text=| Idle", timeout=CELL_WITHIN_MS)

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def run(self, number: int, *, wait: bool = True) -> str:
        """Run a cell as a hand does; return the text that it put out, once it has ended."""
        cell = self.cell(number)
        cell.locator(".jp-InputArea-editor .cm-content").click()
        # A kernel that was restarted counts from one again: the number itself says nothing.
        cell.locator(".jp-InputArea-prompt").evaluate("prompt => { prompt.textContent = ''; }")
        self.page.keyboard.press("Control+Enter")
        if not wait:
            return ""
        self.page.wait_for_function(
            r"cell => /\[\d+\]/.test(cell.querySelector('.jp-InputArea-prompt').textContent)",
            arg=cell.element_handle(),
            timeout=CELL_WITHIN_MS,
        )
        return "\n".join(cell.locator(".jp-OutputArea-output pre").all_text_contents()).strip()

    def restart(self) -> None:
        """Restart the kernel by its button."""
        self.page.locator('.jp-NotebookPanel-toolbar [data-command="notebook:restart-kernel"]').first.click()
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
