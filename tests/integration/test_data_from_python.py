"""From Python on the laptop: `layer.data` is the server's, read and written by regions over the real wire."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

import napari_cuda
from data_scenes import BROKEN_PLANE, LAZY_PLANES, cells, colors, elements, levels, volume
from integration.conftest import Connect, Network, Serve, connected_window
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.mirror.remote_array import RemoteArray
from napari_cuda.netsim import Link, NetSim
from napari_cuda.protocol.errors import DataError
from scene_server import SceneServer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server has its folder."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(serve_scene: Serve, folder: Path) -> SceneServer:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TMPDIR", str(folder))
        return serve_scene("data_of_each_kind", size=(160, 120))


@pytest.fixture(scope="module")
def viewer(server: SceneServer) -> Iterator[RemoteViewer]:
    """One for all tests: what a test writes it puts back."""
    viewer = napari_cuda.connect(server.connect_url, window=False, timeout_s=60)
    yield viewer
    viewer.close()


@contextmanager
def put_back(data: Any) -> Iterator[None]:
    before = np.asarray(data)
    try:
        yield
    finally:
        data[...] = before


@pytest.mark.parametrize(
    ("name", "expected"), [("memory", volume()), ("stored", volume()), ("colors", colors()), ("cells", cells())]
)
def test_regions_of_pixels_are_the_server_s(viewer: RemoteViewer, name: str, expected: Any) -> None:
    data = viewer.layers[name].data
    assert (data.shape, data.dtype) == (expected.shape, expected.dtype)
    for key in (0, (..., 1), (slice(1, 4), slice(None, None, -3)), (slice(None), 7, slice(5, 30, 2)), (-1, -1, -1)):
        assert np.array_equal(data[key], expected[key])
    assert np.asarray(data).dtype == expected.dtype
    assert np.array_equal(np.asarray(data), expected)
    with pytest.raises(IndexError, match="is out of bounds for axis 0"):
        data[len(data)]


def test_levels_are_read_each(viewer: RemoteViewer) -> None:
    data = viewer.layers["levels"].data
    assert data.shape == levels()[0].shape
    assert [np.array_equal(np.asarray(level), here) for level, here in zip(data, levels(), strict=True)] == [True] * 2


@pytest.mark.parametrize("name", ["points", "vectors", "tracks", "surface", "shapes"])
def test_elements_are_the_server_s(viewer: RemoteViewer, name: str) -> None:
    there, here = viewer.layers[name].data, elements()[name]
    several = name in ("surface", "shapes")
    for part, expected in zip(there if several else [there], here if several else [here], strict=True):
        # napari keeps corners in single precision
        assert np.array_equal(np.asarray(part), expected.astype(np.float32) if name == "shapes" else expected)
    if not several:
        assert np.array_equal(there[3:5, ..., 0], here[3:5, ..., 0])


def test_of_what_is_lazy_only_the_region_is_computed(viewer: RemoteViewer) -> None:
    data = viewer.layers["lazy"].data
    assert data.nbytes > 40_000_000
    assert data[4321, 3, 5] == 4321
    assert data[BROKEN_PLANE + 1 :: 1000, 0, 0].tolist() == list(range(BROKEN_PLANE + 1, LAZY_PLANES, 1000))
    assert data.chunks == (1, 64, 64)


def test_what_fails_there_is_raised_here_with_its_traceback(viewer: RemoteViewer) -> None:
    data = viewer.layers["lazy"].data
    with pytest.raises(ArithmeticError, match="this plane cannot be computed") as caught:
        data[BROKEN_PLANE]
    (note,) = caught.value.__notes__
    assert note.startswith("On the server:") and "in lazy_plane" in note
    for name, words in {"lazy": "a dask array", "frozen": "its array on the server is read-only"}.items():
        with pytest.raises(TypeError, match=f"cannot be changed in place.*{words}"):
            viewer.layers[name].data[3] = 1
    with pytest.raises(DataError, match=r"there is no layer 'L999' \(any more\)"):
        RemoteArray(viewer._session._regions, "L999", 0, (2, 2), np.uint8)[0]


@pytest.mark.parametrize("name", ["memory", "stored", "cells"])
def test_what_is_written_is_there_and_shown_when_refreshed(
    server: SceneServer, viewer: RemoteViewer, name: str, connect: Connect
) -> None:
    layer, other = viewer.layers[name], connect(server)
    with put_back(layer.data):
        layer.visible = True
        layer.data[2, 10:20, ::-2] = 5
        layer.data[3] = np.arange(50)
        expected = np.asarray(volume() if name != "cells" else cells())
        expected[2, 10:20, ::-2], expected[3] = 5, np.arange(50)
        assert np.array_equal(np.asarray(other.layers[name].data), expected)
        for layer_here in viewer.layers:
            layer_here.visible = layer_here is layer
        viewer.dims.set_current_step(0, 2)
        layer.data[2] = layer.data[0] * 0
        layer.refresh()
        black = viewer.screenshot()
        layer.data[2, :, 20:30] = 8000 if name != "cells" else 3
        layer.refresh()
        assert not np.array_equal(viewer.screenshot(), black)
    layer.refresh()


@contextmanager
def whole_put_back(layer: Any) -> Iterator[None]:
    several = bool(getattr(layer, "multiscale", False))
    before = [np.asarray(level) for level in layer.data] if several else np.asarray(layer.data)
    try:
        yield
    finally:
        layer.data = before


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("memory", np.linspace(0, 1, 3 * 20 * 30, dtype=np.float32).reshape(3, 20, 30)),
        ("memory", np.arange(800, dtype=np.uint8).reshape(20, 40)),
        ("memory", np.arange(2 * 3 * 8 * 9, dtype=np.int16).reshape(2, 3, 8, 9)),
        ("memory", np.random.default_rng(0).integers(0, 2**16, (6, 1024, 1024), np.uint16)),
        ("frozen", volume()[:, ::-1]),
        ("cells", np.arange(600, dtype=np.uint8).reshape(1, 20, 30)),
        ("colors", np.full((10, 12, 4), 100, np.uint8)),
        ("levels", [np.ones((40, 40), np.uint8), np.ones((20, 20), np.uint8), np.ones((10, 10), np.uint8)]),
        ("stored", da.ones((2, 30, 30), chunks=(1, 30, 30), dtype=np.uint8)),
    ],
)
def test_pixels_of_another_shape_and_dtype(
    server: SceneServer, viewer: RemoteViewer, connect: Connect, name: str, made: Any
) -> None:
    layer, other = viewer.layers[name], connect(server)
    with whole_put_back(layer):
        layer.data = made
        seen = other.layers[name]
        shape = np.shape(made[0] if name == "levels" else made)
        wait_until(lambda: seen.data.shape == shape or other.pump(0.02))
        for there in (layer, seen):
            parts, expected = ([*there.data], made) if name == "levels" else ([there.data], [made])
            assert [(part.shape, part.dtype) for part in parts] == [(one.shape, one.dtype) for one in expected]
            assert all(np.array_equal(np.asarray(part), one) for part, one in zip(parts, expected, strict=True))
        viewer.sync()
        assert viewer.dims.ndim == max(one.ndim for one in viewer.layers)
        layer.visible = True
        viewer.screenshot()
    viewer.sync()


def test_pixels_that_napari_cannot_show_are_refused(viewer: RemoteViewer) -> None:
    for name, data, error, words in (
        ("cells", np.ones((4, 4), np.float32), TypeError, "Only integer types"),
        ("colors", np.ones((4, 4, 2), np.uint8), ValueError, "3 or 4 channels"),
        ("memory", np.ones(4, np.uint8), ValueError, "two dimensions"),
        ("memory", np.ones((0, 4), np.uint8), DataError, "not empty"),
    ):
        before = np.asarray(viewer.layers[name].data)
        with pytest.raises(error, match=words):
            viewer.layers[name].data = data
        assert np.array_equal(np.asarray(viewer.layers[name].data), before)


def test_elements_are_changed_in_place(viewer: RemoteViewer) -> None:
    for name in ("points", "vectors", "tracks"):
        data = viewer.layers[name].data
        with put_back(data):
            data[4, ..., 1] = 3.5
            viewer.layers[name].refresh()
            expected = elements()[name].copy()
            expected[4, ..., 1] = 3.5
            assert np.array_equal(np.asarray(viewer.layers[name].data), expected)
    vertices, faces, _ = viewer.layers["surface"].data
    with put_back(vertices):
        vertices[0] = 9
        assert viewer.layers["surface"].data[0][0].tolist() == [9, 9, 9]
    with pytest.raises(ValueError, match="are no indices of its 30 vertices"):
        faces[0, 0] = 1000  # the driver would read there
    assert np.array_equal(np.asarray(faces), elements()["surface"][1])
    with pytest.raises(DataError, match="must be finite"):
        viewer.layers["points"].data[0] = np.nan


def test_data_is_set_anew(viewer: RemoteViewer, connect: Connect, server: SceneServer) -> None:
    other = connect(server)
    here = elements()
    for name, value in {
        "points": here["points"][:7],
        "vectors": here["vectors"][3:],
        "tracks": here["tracks"][:10],
        "surface": (here["surface"][0] + 1, here["surface"][1][:5]),
        "shapes": [here["shapes"][0] + 2],
    }.items():
        layer = viewer.layers[name]
        layer.data = value
        there = other.layers[name].data
        several = name in ("surface", "shapes")
        for one, expected in zip(there if several else [there], value if several else [value], strict=False):
            assert np.allclose(np.asarray(one), expected, rtol=1e-6)
        layer.data = here[name]
    viewer.layers["memory"].data = volume()[::-1]
    assert np.array_equal(np.asarray(other.layers["memory"].data), volume()[::-1])
    viewer.layers["memory"].data = volume()
    with pytest.raises(DataError, match="must be finite"):
        viewer.layers["points"].data = np.full((4, 3), np.inf)
    with pytest.raises(ValueError, match="no indices of its 3 vertices"):
        viewer.layers["surface"].data = (np.eye(3), np.array([[0, 1, 3]]))
    viewer.layers["points"].data = np.ones((500_000, 3))  # more than goes in a request
    assert viewer.layers["points"].data.shape == (500_000, 3)
    viewer.layers["points"].data = here["points"]
    assert np.array_equal(np.asarray(viewer.layers["points"].data), here["points"])


def test_a_layer_made_here_can_be_read_at_once(viewer: RemoteViewer) -> None:
    pixels = np.arange(100, dtype=np.int16).reshape(10, 10)
    layer = viewer.add_image(pixels, name="new")
    assert np.array_equal(np.asarray(layer.data), pixels)
    data = layer.data
    viewer.layers.remove(layer)
    with pytest.raises(DataError, match="there is no layer"):
        data[0]


def left_behind(folder: Path) -> list[Path]:
    """Return what is there of what clients sent."""
    (uploads,) = folder.glob("napari-cuda-session-*/uploads")
    return list(uploads.rglob("*"))


def send_through_a_cut(network: NetSim, viewer: RemoteViewer, data: Any, **options: Any) -> Any:
    """Add an image while the connection is cut once, half way."""
    seen: list[float] = []

    def cut_once(job: Any) -> None:
        if job.fraction is not None and job.title.startswith("Sending"):
            if job.fraction > 0.4 and (not seen or max(seen) <= 0.4):
                network.reset()
            seen.append(job.fraction)

    viewer._session.data.board.watch(cut_once)
    layer = viewer.add_image(data, **options)
    assert max(seen) > 0.4 and seen == sorted(seen)
    return layer


def test_an_array_arrives_bit_for_bit_though_the_connection_is_cut(
    server: SceneServer, network: Network, connect: Connect, rng: np.random.Generator
) -> None:
    bad = network(server, Link(delay_s=0.005))
    viewer = connect(bad)
    noise = rng.integers(0, 2**16, (4, 1024, 1024), np.uint16)
    dim = rng.poisson(50, (6, 1024, 1024)).astype(np.uint16)
    sent = np.concatenate([noise, dim])
    layer = send_through_a_cut(bad, viewer, sent, name="sent")
    assert np.array_equal(np.asarray(viewer.layers["sent"].data[3:5]), sent[3:5])
    assert hashlib.sha256(np.asarray(layer.data)).digest() == hashlib.sha256(sent).digest()
    viewer.layers.remove(layer)


def test_what_is_lazy_is_computed_while_it_is_sent(viewer: RemoteViewer) -> None:
    def compute(block: Any, block_info: Any = None) -> Any:
        return block + block_info[0]["chunk-location"][0]

    lazy = da.zeros((12, 600, 600), chunks=(2, 600, 600), dtype=np.uint8).map_blocks(compute, meta=np.empty((0, 0, 0)))
    layer = viewer.add_image(lazy.astype(np.uint8), contrast_limits=(0, 9), name="from dask")
    assert np.array_equal(layer.data[:, 0, 0], np.arange(12) // 2)
    stored = zarr.create_array(MemoryStore(), shape=(9, 400, 400), chunks=(1, 200, 200), dtype="int16")
    stored[:] = np.arange(9 * 400 * 400).reshape(9, 400, 400) % 30_000
    labels = viewer.add_labels(stored, name="from zarr")
    assert np.array_equal(np.asarray(labels.data), stored[:])
    viewer.layers.remove(layer)
    viewer.layers.remove(labels)

    def fail(block: Any, block_info: Any = None) -> Any:
        if block_info[0]["chunk-location"][0] == 4:
            raise ArithmeticError("no such block")
        return block

    before = list(viewer.layers)
    broken = da.zeros((12, 600, 600), chunks=(2, 600, 600)).map_blocks(fail, meta=np.empty((0, 0, 0)))
    with pytest.raises(DataError, match="ArithmeticError: no such block"):
        viewer.add_image(broken, contrast_limits=(0, 9))
    assert list(viewer.layers) == before


def test_what_is_cancelled_leaves_nothing(
    server: SceneServer, folder: Path, network: Network, connect: Connect
) -> None:
    viewer = connect(network(server, Link(delay_s=0.005, rate_bit_s=50e6)))
    before = [layer.name for layer in viewer.layers]
    noise = np.random.default_rng(1).integers(0, 255, (12, 1024, 1024), np.uint8)

    def cancel(job: Any) -> None:
        if job.fraction is not None and job.fraction > 0.3:
            viewer._session.data.cancel(job.job)

    viewer._session.data.board.watch(cancel)
    with pytest.raises(DataError, match="cancelled"):
        viewer.add_image(noise, name="cancelled")
    assert [layer.name for layer in viewer.layers] == before
    viewer.sync()
    wait_until(lambda: left_behind(folder) == [])


def test_cancelling_waits_for_no_network(server: SceneServer, folder: Path, network: Network, connect: Connect) -> None:
    """The way carries nothing any more: whoever gives up is told at once, and the server when it can be."""
    way = network(server, Link(delay_s=0.005, rate_bit_s=50e6))
    viewer = connect(way)
    noise = np.random.default_rng(1).integers(0, 255, (12, 1024, 1024), np.uint8)
    told: list[str] = []

    def stall_and_cancel(job: Any) -> None:
        if job.fraction is not None and job.fraction > 0.3 and not told:
            told.append(job.job)
            way.become(Link(delay_s=3600))
            viewer._session.data.cancel(job.job)
            assert viewer._session.data.board.get(job.job).state == "cancelled"

    viewer._session.data.board.watch(stall_and_cancel)
    with pytest.raises(DataError, match="cancelled"):
        viewer.add_image(noise, name="cancelled")
    way.become(Link(delay_s=0.005))
    wait_until(lambda: left_behind(folder) == [])


def wait_until(done: Any, timeout_s: float = 30.0) -> None:
    until_s = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < until_s, "it did not become so in time"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_gigabytes_arrive_through_100_megabits_a_second(
    server: SceneServer, folder: Path, network: Network, connect: Connect
) -> None:
    bad = network(server, Link(delay_s=0.005, rate_bit_s=100e6))
    viewer = connect(bad)
    rng = np.random.default_rng(3)
    plane = rng.poisson(20, (1024, 1024)).astype(np.uint16)  # as a camera's: packs to a third
    sent = np.empty((1024, 1024, 1024), np.uint16)
    for number in range(len(sent)):
        np.add(np.roll(plane, 7 * number), number, out=sent[number])
    before = list(viewer.layers)
    layer = send_through_a_cut(bad, viewer, sent, name="two gigabytes", contrast_limits=(0, 1200))
    near = connect(server)
    assert hashlib.sha256(np.asarray(near.layers["two gigabytes"].data)).digest() == hashlib.sha256(sent).digest()
    assert left_behind(folder) == []
    viewer.layers.remove(layer)
    viewer.sync(60)
    assert list(viewer.layers) == before


def test_the_documented_way(server: SceneServer) -> None:
    page = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page.partition("## From Python on the laptop")[2], re.DOTALL)
    names: dict[str, Any] = {"url": server.connect_url, "__name__": "__main__"}
    exec(compile(code, "docs/scripts.md", "exec"), names)
    assert (names["corner"].shape, names["corner"].dtype, names["picture"].shape) == (
        (16, 16),
        np.uint16,
        (120, 160, 4),
    )


@pytest.mark.slow
def test_the_window_reads_no_data_by_itself_and_its_user_does(server: SceneServer) -> None:
    with connected_window(server) as window:
        asked: list[str] = []

        class Told:
            def __getattr__(self, name: str) -> Any:
                asked.append(name)
                return getattr(window._session._regions, name)

        for layer in window.layers:
            layer.on_data = Told()
        canvas = window.window._qt_viewer.canvas
        for ndisplay in (2, 3, 2):
            window.dims.ndisplay = ndisplay
            for layer in window.layers:
                window.layers.selection.active = layer
                layer.visible = True
                window.cursor.position = (2, 20, 20)
                canvas.native.update()
                window.sync(60)
                layer.visible = False
        window.dims.roll()
        window.dims.set_current_step(0, 3)
        window.layers["memory"].histogram.enabled = True
        window.layers["memory"].reset_contrast_limits()
        window.layers["cells"].mode = "paint"
        window.theme = "light"
        window.sync(60)
        window.pump(0.5)
        assert asked == []
        assert np.array_equal(window.layers["memory"].data[3], volume()[3])
        assert asked == ["read"]


def test_who_may_only_look_may_not_read(server: SceneServer, viewer: RemoteViewer) -> None:
    with napari_cuda.connect(server.view_url, window=False, timeout_s=60) as onlooker:
        with pytest.raises(DataError, match="you may only look here"):
            onlooker.layers["memory"].data[0]
        assert onlooker.layers["memory"].data.shape == volume().shape


def test_a_large_region_comes_through_a_network_that_breaks(
    server: SceneServer, network: Network, connect: Connect
) -> None:
    bad = network(server, Link(delay_s=0.005))
    viewer = connect(bad)
    data = viewer.layers["lazy"].data[1000:3000]
    assert np.array_equal(data[:, 0, 0], np.arange(1000, 3000))
    wanted, cut = viewer.layers["lazy"].data, threading.Event()

    def cut_it() -> None:
        time.sleep(0.05)
        bad.reset()
        cut.set()

    cutting = threading.Thread(target=cut_it)
    cutting.start()
    try:
        again = wanted[1000:3000]
    finally:
        cutting.join()
    assert cut.is_set() and np.array_equal(again, data)
