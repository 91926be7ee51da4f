"""Draw the pictures of `docs/likeness.md`: `python benchmarks/likeness.py [SCENE …]`, needs a display.

Each shows a scene in stock napari's window, and the same scene served and connected to. `browser page` is the page of
`docs/guide.md`, in Chromium.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

os.environ["NAPARI_CONFIG"] = ""  # napari's own settings, whoever draws
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from e2e.conftest import launched_chromium, opened_page
from likeness import Look, remote_look, stock_look
from likeness_scenes import SCENES
from pictures import psnr_db
from scene_server import SceneServer

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "likeness"
GAP_PX = 8
PAGE_NAME = "browser page"
PAGE = {"width": 1100, "height": 760}
KEPT_BITS = 0b11111100
"""The rest is not seen, and makes most of the file."""


def side_by_side(stock: Look, remote: Look) -> Image.Image:
    """Return both windows in one picture, stock napari's on the left."""
    gap = np.full((stock.window.shape[0], GAP_PX, 3), 255, np.uint8)
    both = np.hstack([stock.window, gap, remote.window])
    return Image.fromarray(both & KEPT_BITS)


def browser_page() -> Image.Image:
    """Return the page with labels over an image, the labels chosen."""
    with SceneServer("labels over image") as server, sync_playwright() as playwright:
        chromium = launched_chromium(playwright)
        with opened_page(chromium, server.connect_url, viewport=PAGE, color_scheme="dark") as view:
            view.page.locator(".nc-layer .nc-pick").first.click()
            x, y = view.center()
            view.page.mouse.move(x, y)
            view.page.wait_for_function("() => document.querySelector('.nc-value').textContent !== ''")
            view.rest()
            picture = Image.open(io.BytesIO(view.page.screenshot())).convert("RGB")
        chromium.close()
    return Image.fromarray(np.asarray(picture) & KEPT_BITS)


def main(scenes: list[str]) -> None:
    """Draw scenes and print how alike their canvases are."""
    FOLDER.mkdir(exist_ok=True)
    for scene in scenes:
        if scene == PAGE_NAME:
            browser_page().save(FOLDER / "browser-page.png", optimize=True)
            continue
        stock, remote = stock_look(scene), remote_look(scene)
        file = FOLDER / f"{scene.replace(' ', '-')}.png"
        side_by_side(stock, remote).save(file, optimize=True)
        alike = f"{psnr_db(remote.canvas, stock.canvas):.0f} dB"
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1e3:.0f} kB, canvas {alike}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or [*SCENES, PAGE_NAME])
