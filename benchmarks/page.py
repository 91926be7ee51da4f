"""The page beside the desktop window: `python benchmarks/page.py [--seconds S] [--burners N]`, with a display.

One server of the scene of `pan2d` at 1280 x 720, dragged 60 times a second: first in napari's window, then in Chromium
without a window, then the window again. From an input to the drawn picture that answers it: the client's own numbers,
by the number of the intent that each picture names. With burners (processes that only count) the worst is what counts.
The page's first pictures are timed from when its document begins to load.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import msgspec
import numpy as np
from playwright.sync_api import Page, sync_playwright

from e2e.conftest import ARGUMENTS, CHROMIUM, View
from napari_cuda.bench.catalogue import WORKLOADS
from napari_cuda.bench.recording import InputLog, Observation, Shown, latencies_s, shown_ages_s
from napari_cuda.bench.run import WorkloadServer

PAN = WORKLOADS["pan2d"]
AROUND = (292, 200)
"""About what the page needs beside its canvas; the rest is found by looking."""

# Before the page's own: when intents of the camera leave, and when pictures are drawn.
RECORD = """
window.sent = []; window.drawn = []; window.first = {};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (text) {
    const moves = typeof text === 'string' && text.includes('"camera.intent"');
    if (moves) window.sent.push([JSON.parse(text).intent, window.moved]);
    return send.call(this, text);
};
document.addEventListener('DOMContentLoaded', () => new MutationObserver(records => {
    const now = performance.now();
    for (const {target, attributeName} of records) {
        if (target.className !== 'nc-canvas') continue;
        if (attributeName === 'data-seq') window.first.picture ??= now;
        if (attributeName === 'data-exact') window.first.exact ??= now;
        if (attributeName === 'data-input') window.drawn.push([now, Number(target.dataset.input)]);
    }
}).observe(document, {attributes: true, subtree: true, attributeFilter: ['data-seq', 'data-exact', 'data-input']}));
"""
# The pointer is down already; each move is noted when it is made, before the page hears of it.
DRAG = """(canvas, seconds) => new Promise(resolve => {
    const box = canvas.getBoundingClientRect(), began = performance.now();
    window.sent.length = window.drawn.length = 0;
    let number = 0;
    const clock = setInterval(() => {
        const now = performance.now();
        if (now - began > 1000 * seconds) {
            clearInterval(clock);
            return resolve([window.sent, window.drawn, now]);
        }
        if (now - began < number * 1000 / 60) return;
        number = Math.max(number + 1, Math.floor((now - began) * 60 / 1000));
        const turn = number / 40;
        window.moved = now;
        canvas.dispatchEvent(new PointerEvent('pointermove', {
            bubbles: true, pointerId: 1, pointerType: 'mouse', isPrimary: true, buttons: 1,
            clientX: box.left + box.width / 2 + Math.round(80 * Math.sin(turn)),
            clientY: box.top + box.height / 2 + Math.round(60 * Math.cos(1.3 * turn)),
        }));
    }, 1);
})"""


@contextmanager
def burning(count: int) -> Iterator[None]:
    """Keep so many processes counting."""
    with ExitStack() as burners:
        for _ in range(count):
            burner = burners.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            burners.callback(burner.kill)
        yield


def desktop(url: str, seconds: float) -> Observation:
    """Measure napari's window, in a process of its own."""
    command = [sys.executable, "-m", "napari_cuda.bench.client", url, PAN.name, str(seconds), "window"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1].encode(), type=Observation)


def fit(page: Page) -> None:
    """Have the page's canvas be as large as the workload says."""
    page.set_viewport_size({"width": PAN.size[0] + AROUND[0], "height": PAN.size[1] + AROUND[1]})
    for _ in range(2):
        page.wait_for_timeout(500)
        width, height = page.locator(".nc-canvas").evaluate("canvas => [canvas.width, canvas.height]")
        now = page.viewport_size
        assert now is not None
        size = {"width": now["width"] + PAN.size[0] - width, "height": now["height"] + PAN.size[1] - height}
        page.set_viewport_size(size)
    page.wait_for_function("size => document.querySelector('.nc-canvas').width === size", arg=PAN.size[0])


def in_the_page(url: str, seconds: float) -> dict[str, Any]:
    """Measure the page in Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        context = browser.new_context()
        context.add_init_script(RECORD)
        view = View(context.new_page()).open(url)
        fit(view.page)
        view.rest()
        view.page.reload()
        view.rest()
        first = view.page.evaluate("() => window.first")
        x, y = view.center()
        view.page.mouse.move(x, y)
        view.page.mouse.down()
        view.canvas.evaluate(DRAG, 2)  # to warm up
        sent, drawn, ended_ms = view.canvas.evaluate(DRAG, seconds)
        view.page.mouse.up()
        browser.close()
    inputs = InputLog()
    for number, at_ms in sent:
        inputs.note(number, at_ms / 1e3)
    pictures = [Shown(at_ms / 1e3, number) for at_ms, number in drawn]
    answers_s = latencies_s(inputs, pictures)
    told = told_ms(answers_s, shown_ages_s(inputs, pictures, inputs.newest_s))
    return told | {
        "frames per s": round(len(answers_s) / seconds, 1),
        "first picture": round(first["picture"]),
        "first exact picture": round(first["exact"]),
        "ended": round(ended_ms),
    }


def told_ms(answers_s: list[float], ages_s: list[float]) -> dict[str, float]:
    """Return what is said of one client, in ms: input to drawn picture, and how old what is on screen was."""
    p50, p95, most = 1e3 * np.quantile(answers_s, [0.5, 0.95, 1])
    oldest = 1e3 * max(ages_s)
    return {"p50": round(p50, 1), "p95": round(p95, 1), "most": round(most, 1), "oldest on screen": round(oldest, 1)}


def main() -> None:
    """Measure, and print one line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--burners", type=int, default=0)
    asked = parser.parse_args()
    told: list[dict[str, Any]] = []
    with WorkloadServer(PAN) as server, burning(asked.burners):
        for client in ("window", "page", "window", "page"):
            if client == "page":
                seen = in_the_page(server.connect_url, asked.seconds)
            else:
                found = desktop(server.connect_url, asked.seconds)
                assert found.latency_ms is not None and found.age_ms is not None
                rate = found.answered / found.seconds
                p50, p95 = found.latency_ms.p50, found.latency_ms.p95
                seen = {"p50": round(p50, 1), "p95": round(p95, 1), "frames per s": round(rate, 1)}
            told.append({"client": client, "burners": asked.burners, "load": os.getloadavg()[0]} | seen)
            print(json.dumps(told[-1]), flush=True)
    p50 = {client: np.median([row["p50"] for row in told if row["client"] == client]) for client in ("window", "page")}
    print(json.dumps({"page / window": round(float(p50["page"] / p50["window"]), 2)}))


if __name__ == "__main__":
    main()
