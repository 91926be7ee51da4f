"""The browser page as a client: its door, exactness, lost connections, several pages, the same packets as Python."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import xxhash
from napari.utils.colormaps import DirectLabelColormap
from playwright.sync_api import Browser

from e2e.conftest import View, moving_colors, moving_pixels, opened_page, watching
from napari_cuda.client.playout import gate
from napari_cuda.netsim import NetSim
from scene_server import SceneServer

LINE_COLORS = {
    "red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "cyan": (0, 255, 255), "magenta": (255, 0, 255),
    "yellow": (255, 255, 0), "white": (255, 255, 255),
}  # fmt: skip
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "pixel_packets.json").read_text("utf-8"))

_PARSE = """async ([packets, malformed]) => {
    const {parsePacket} = await import('/viewer.js');
    const bytes = hex => Uint8Array.from(hex.match(/../g) ?? [], byte => parseInt(byte, 16)).buffer;
    const parsed = packets.map(hex => {
        const {header, payload} = parsePacket(bytes(hex));
        const plain = JSON.parse(JSON.stringify(header, (_, value) => typeof value === 'bigint' ? `${value}` : value));
        return [plain, [...payload].map(byte => byte.toString(16).padStart(2, '0')).join('')];
    });
    const refused = malformed.filter(hex => { try { parsePacket(bytes(hex)); } catch { return true; } });
    return [parsed, refused.length];
}"""


@pytest.fixture(scope="module")
def server(serve_scene: Callable[..., SceneServer], browser: Browser) -> SceneServer:
    """One for each browser: its tests change the scene."""
    return serve_scene("patches", size=(480, 360))


def test_packets_are_read_as_the_golden_vectors_say(view: View) -> None:
    packets = VECTORS["packets"]
    asked = [[packet["message"] for packet in packets], [bad["message"] for bad in VECTORS["malformed"]]]
    parsed, refused = view.page.evaluate(_PARSE, asked)
    assert refused == len(VECTORS["malformed"]) > 4
    kinds = {"access_unit": 1, "still": 2, "unchanged": 3, "still_part": 4}
    for packet, (header, payload) in zip(packets, parsed, strict=True):
        wanted = packet["header"]
        flags = {"keyframe": "keyframe", "full_detail": "fullDetail", "at_rest": "atRest"}
        assert payload == packet["payload"]
        assert header == {
            "kind": kinds[wanted["kind"]],
            **{name: flag in wanted["flags"] for flag, name in flags.items()},
            "part": wanted.get("part", 0),
            "seq": wanted["seq"],
            "epoch": wanted["epoch"],
            "revision": wanted["revision"],
            "inputId": wanted["input_id"],
            "captureTimeUs": wanted["capture_time_us"],
            "canvas": wanted["canvas_size"],
            "coded": wanted["coded_size"],
            "margin": wanted.get("margin", 0),
            "hash": wanted["picture_hash"],
            "camera": wanted["camera"],
        }


def test_the_gate_has_the_rows_of_the_table(view: View) -> None:
    rows = view.page.evaluate("async () => (await import('/viewer.js')).GATE_ROWS")
    admits = {None: None, gate.Verdict.ADMIT: True, gate.Verdict.DROP_AND_REQUEST_KEYFRAME: False}
    assert rows == {
        state.value: {
            event.value: [row.state.value, admits[row.verdict]]
            for (before, event), row in gate.TRANSITIONS.items()
            if before is state
        }
        for state in gate.GateState
    }


@pytest.mark.parametrize("length", [1024, 1028, 64 * 1024, 321 * 243 * 4])
def test_the_hash_is_xxh3(view: View, rng: np.random.Generator, length: int) -> None:
    data = rng.integers(0, 256, length, np.uint8)
    found = view.page.evaluate(
        "async bytes => (await import('/viewer.js')).xxh3(Uint8Array.from(bytes)).toString()", data.tolist()
    )
    assert int(found) == xxhash.xxh3_64_intdigest(data.tobytes())


def test_the_canvas_is_the_servers_framebuffer(view: View, server: SceneServer) -> None:
    with watching(server) as watcher:
        framebuffer = watcher.picture()
        picture = view.exact()
        assert picture.shape == framebuffer.shape
        assert np.array_equal(picture, framebuffer)
        watcher.viewer.canvas.overlays.scale_bar.visible = True
        revision = watcher.viewer.sync()
        assert not np.array_equal(view.exact(revision), framebuffer), "overlays are in the page's picture"
        watcher.viewer.canvas.overlays.scale_bar.visible = False
        revision = watcher.viewer.sync()
        assert np.array_equal(view.exact(revision), framebuffer)


def test_moving_pictures_have_the_right_colours(view: View, server: SceneServer) -> None:
    with watching(server) as watcher:
        errors = moving_colors(view, watcher)
        # 0 would be an exact picture: it is the moving ones that are asked about.
        assert any(0 < error <= 3 for error in errors), errors
        assert len(errors) >= 2, "one of what is hidden, one of what is shown"


def colour_lines() -> npt.NDArray[np.uint8]:
    """Return labels (96, 128): lines of one pixel in seven colours, upright, level, aslant and next to each other."""
    lines = np.zeros((96, 128), np.uint8)
    for number in range(len(LINE_COLORS)):
        aslant = np.arange(40)
        lines[4:44, 4 + 5 * number] = number + 1
        lines[50 + 5 * number, 4:44] = number + 1
        lines[4 + aslant, 50 + 5 * number + aslant] = number + 1
        lines[50:90, 60 + number : 124 : len(LINE_COLORS)] = number + 1
    return lines


def test_lines_of_one_pixel_have_their_colours(view: View, server: SceneServer) -> None:
    lines = colour_lines()
    rows, columns = np.nonzero(lines)
    wanted = np.array([(0, 0, 0), *LINE_COLORS.values()])[lines[rows, columns]]
    colors = dict(enumerate(LINE_COLORS, 1)) | {0: "transparent", None: "black"}
    with watching(server) as watcher:
        viewer = watcher.viewer
        viewer.add_labels(lines, name="lines", opacity=1, colormap=DirectLabelColormap(color_dict=colors))
        # Each element is one pixel of the canvas.
        height, width = viewer.canvas.size
        middle = [48 + (height % 2) / 2 - 0.5, 64 + (width % 2) / 2 - 0.5]
        viewer.scene.camera.zoom = 1
        viewer.scene.camera.center = (0, *middle)
        picture = view.exact(viewer.sync())
        x = np.round(columns - middle[1] + (width - 1) / 2).astype(int)
        y = np.round(rows - middle[0] + (height - 1) / 2).astype(int)
        assert np.abs(picture[y, x, :3].astype(int) - wanted).max() <= 8
        moving = moving_pixels(view, watcher, "lines", list(zip(x.tolist(), y.tolist(), strict=True)))
        if view.page.context.browser.browser_type.name == "chromium":  # decodes 4:4:4
            # One of the moving pictures shows the lines, and the exact one, of 0, is none of them.
            assert any(0 < np.abs(seen - wanted).mean() <= 8 for seen in moving)
        viewer.layers.remove("lines")
        viewer.layers.selection.active = viewer.layers["patches"]
        viewer.reset_view()
        view.rest(viewer.sync())


_COUNT_FRAMES = """
window.frames = {given: 0, converted: 0, drawn: 0, open: 0};
// Not in the empty page before ours, which Firefox takes for an insecure one.
if (globalThis.VideoDecoder) window.VideoDecoder = class extends VideoDecoder {
    constructor({output, error}) {
        super({error, output: frame => {
            window.frames.given += 1;
            window.frames.open += 1;
            output(frame);
        }});
    }
};
const close = globalThis.VideoFrame?.prototype.close;
if (close) VideoFrame.prototype.close = function () {
    window.frames.open -= 1;
    close.call(this);
};
for (const kind of [CanvasRenderingContext2D, OffscreenCanvasRenderingContext2D]) {
    const {drawImage} = kind.prototype;
    kind.prototype.drawImage = function (image, ...places) {
        window.frames.converted += globalThis.VideoFrame !== undefined && image instanceof VideoFrame;
        window.frames.drawn += this.canvas.className === 'nc-canvas';
        return drawImage.call(this, image, ...places);
    };
}
"""


def test_a_picture_is_converted_once_and_drawn_as_often_as_the_camera_moves(
    browser: Browser, server: SceneServer
) -> None:
    with opened_page(browser, server.connect_url, script=_COUNT_FRAMES) as view:
        x, y = view.center()
        view.page.mouse.move(x, y)
        view.page.mouse.down()
        for step in range(40):
            view.page.mouse.move(x + step, y + step / 2)
            view.page.evaluate("() => new Promise(requestAnimationFrame)")
        view.page.mouse.up()
        view.rest()
        frames = view.page.evaluate("() => window.frames")
        assert 0 < frames["converted"] <= frames["given"]
        assert frames["drawn"] > frames["converted"]
        assert frames["open"] == 0, "the decoder waits for its frames"
        view.press("r")
        view.rest()


def test_two_pages_show_one_session(browser: Browser, server: SceneServer, view: View) -> None:
    with opened_page(browser, server.connect_url) as other:
        view.select("patches")
        view.slide(view.field("opacity"), 0.5)
        other.page.wait_for_function("() => document.querySelector('[data-property=opacity] output')?.value === '0.5'")
        assert np.array_equal(view.exact(), other.exact())
        other.slide(other.field("opacity"), 1)
        view.page.wait_for_function("() => document.querySelector('[data-property=opacity] output')?.value === '1'")
        assert np.array_equal(view.exact(), other.exact())


def test_a_page_with_another_size_shows_all_of_the_canvas(browser: Browser, server: SceneServer, view: View) -> None:
    with opened_page(browser, server.connect_url, viewport={"width": 640, "height": 400}) as other:
        assert np.array_equal(other.exact().shape[:2], other.canvas.evaluate("c => [c.height, c.width]"))
        view.page.wait_for_function("() => document.querySelector('.nc-canvas').dataset.exact !== undefined")
        assert view.picture()[..., :3].any()
        view.page.set_viewport_size({"width": 810, "height": 560})  # whoever resizes last has the canvas
        with watching(server) as watcher:
            watcher.until(lambda viewer: viewer.canvas.size[1] == 810 - 292)
            assert watcher.same_as(view)


def test_a_killed_connection_is_taken_up_again(browser: Browser, server: SceneServer) -> None:
    with NetSim(server.connect_url) as network, opened_page(browser, network.connect_url) as view:
        view.select("patches")
        network.cut()
        view.page.wait_for_function("() => document.querySelector('.nc-root').dataset.phase === 'reconnecting'")
        assert "trying again" in view.page.locator(".nc-state").inner_text()
        view.slide(view.field("opacity"), 0.25)  # set while there is nobody to hear it
        network.restore()
        with watching(server) as watcher:
            watcher.until(lambda viewer: viewer.layers["patches"].opacity == 0.25)
            assert watcher.same_as(view)
            assert view.page.locator(".nc-state").is_hidden()
            assert network.reset("/ws/pixels") == 1
            view.slide(view.field("opacity"), 1)
            watcher.until(lambda viewer: viewer.layers["patches"].opacity == 1)
            assert watcher.same_as(view)
        view.complaints.clear()  # a browser logs every refused connection


def test_who_may_only_look_is_told(browser: Browser, server: SceneServer, view: View) -> None:
    with opened_page(browser, server.view_url) as looking:
        assert looking.page.locator(".nc-state").inner_text() == "View only"
        assert looking.button("Open data").is_disabled()
        assert looking.field("opacity").is_disabled()
        looking.press("g")
        assert "only look" in looking.page.locator(".nc-notes").inner_text()
        with watching(server) as watcher:
            assert not watcher.viewer.canvas.grid.enabled


# --- the door ---------------------------------------------------------------------------


def test_the_token_leaves_the_address_and_becomes_a_cookie(browser: Browser, server: SceneServer) -> None:
    with opened_page(browser, server.connect_url) as view:
        assert view.page.url == server.url
        (cookie,) = view.page.context.cookies()
        assert cookie["name"] == f"napari-cuda-{server.port}"
        assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and not cookie["secure"]
        assert view.page.evaluate("() => document.cookie") == ""
        assert view.page.evaluate("() => history.length") <= 2
        view.page.reload()
        view.rest()
        outside = view.page.evaluate(
            "() => performance.getEntriesByType('resource').map(entry => new URL(entry.name).origin)"
        )
        assert set(outside) == {server.url.rstrip("/")}, "nothing is asked of anybody else"


@pytest.mark.parametrize(("query", "says"), [("?token=" + "x" * 43, "wrong token"), ("", "no token")])
def test_a_bad_token_shows_one_clear_line(browser: Browser, server: SceneServer, query: str, says: str) -> None:
    page = browser.new_context().new_page()
    answer = page.goto(server.url + query)
    assert answer is not None and answer.status == 401
    line = page.locator(".nc-line")
    assert line.inner_text().startswith(says)
    assert "napari-cuda serve" in line.inner_text()
    page.context.close()


def test_another_page_cannot_use_the_cookie(server: SceneServer) -> None:
    def status(**headers: str) -> int:
        asked = {"Cookie": f"napari-cuda-{server.port}={server.token}"}
        asked |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            request = urllib.request.Request(f"{server.url}page.json", headers=asked)
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return int(error.code)

    assert status() == status(Sec_Fetch_Site="same-origin") == 200
    assert status(Sec_Fetch_Site="same-site") == status(Sec_Fetch_Site="cross-site") == 401
    assert status(Origin="http://127.0.0.1:1") == 403


def test_the_page_is_closed_to_scripts_of_others(server: SceneServer) -> None:
    with urllib.request.urlopen(f"{server.url}viewer.js", timeout=30) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_several_views_on_a_page_end_without_a_trace(view: View) -> None:
    left = view.page.evaluate(
        """async () => {
            const {mount, webSocketTransport} = await import('/viewer.js');
            const before = Object.keys(window).length;
            const roots = [0, 1].map(() => document.body.appendChild(document.createElement('div')));
            for (const root of roots) root.style.height = '300px';
            const views = roots.map(root => mount(root, webSocketTransport(new URL('.', location.href))));
            const shown = root => root.querySelector('.nc-canvas')?.dataset.exact !== undefined;
            while (!roots.every(shown)) await new Promise(requestAnimationFrame);
            for (const one of views) one.dispose();
            const ids = document.querySelectorAll('[id]').length;
            const empty = roots.every(root => root.childElementCount === 0);
            for (const root of roots) root.remove();
            return [Object.keys(window).length - before, ids, empty];
        }"""
    )
    assert left == [0, 0, True]
    view.page.set_viewport_size({"width": 800, "height": 561})
    view.rest()
