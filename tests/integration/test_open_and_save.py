"""Opening, sending, saving and fetching, as a script does: a real server, real files, a bad network."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.layers import Labels

from integration.conftest import Connect, Network, Serve
from napari_cuda.client.config import ClientConfig
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.net.file_service import FileService
from napari_cuda.netsim import Link
from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.files import CHUNK_BYTES
from napari_cuda.server_process import ServerProcess


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    tifffile.imwrite(root / "stack.tif", np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30))
    (root / "frames").mkdir()
    for number in range(3):
        tifffile.imwrite(root / "frames" / f"t{number}.tif", np.full((16, 16), number, np.uint8))
    (root / "noise.tif").write_bytes(b"no TIFF")
    return root


@pytest.fixture(scope="module")
def server(serve: Serve, root: Path) -> ServerProcess:
    return serve("--root", root, "--size", "160x120")


@pytest.fixture
def viewer(server: ServerProcess, connect: Connect) -> RemoteViewer:
    viewer = connect(server)
    viewer.layers.clear()
    viewer.sync()
    return viewer


def test_what_is_opened_is_there_for_all(
    viewer: RemoteViewer, server: ServerProcess, connect: Connect, root: Path
) -> None:
    other = connect(server)
    (layer,) = viewer.open(root / "stack.tif", opacity=0.5, name="mine")
    assert (layer.name, layer.data.shape, layer.opacity) == ("mine", (3, 20, 30), 0.5)
    (stacked,) = viewer.open(sorted((root / "frames").iterdir()), stack=True)
    assert stacked.data.shape == (3, 16, 16)
    (labels,) = viewer.open(str(root / "stack.tif"), plugin="napari", layer_type="labels")
    assert isinstance(labels, Labels)
    assert [layer.name for layer in viewer.open_sample("napari", "balls_2d")] == ["density", "labels", "points"]
    viewer.sync()
    other.sync()
    assert [layer.name for layer in other.layers] == [layer.name for layer in viewer.layers]


def test_what_cannot_be_opened_says_why_and_changes_nothing(viewer: RemoteViewer, root: Path) -> None:
    for path, words in {
        root / "noise.tif": "cannot open .*noise.tif: napari: ",
        root / "missing.tif": "does not exist on the server",
        Path("/etc/hosts"): "is outside the served roots",
        "https://elsewhere.example/a.zarr": "is not served: whoever starts the server says what may be opened",
    }.items():
        with pytest.raises(DataError, match=words) as caught:
            viewer.open(path)
        assert "\n" not in str(caught.value)
        # What a reader raised tells where, too; a refusal has nothing to add.
        notes = getattr(caught.value, "__notes__", [])
        assert [note.startswith("On the server:\nTraceback") for note in notes] == [True] * words.startswith("cannot")
    # All or nothing: the first was read, and is not shown.
    with pytest.raises(DataError, match=r"missing\.tif"):
        viewer.open([root / "stack.tif", root / "missing.tif"])
    assert len(viewer.layers) == 0


def test_saved_on_the_server_and_here(viewer: RemoteViewer, root: Path, tmp_path: Path) -> None:
    (layer,) = viewer.open(root / "stack.tif")
    pixels = tifffile.imread(root / "stack.tif")
    target = root / "out.tif"
    assert viewer.save_layers(target, [layer]) == [str(target)]
    assert np.array_equal(tifffile.imread(target), pixels)
    with pytest.raises(DataError, match=r"out\.tif exists already"):
        viewer.layers.save(str(target))
    assert viewer.save_layers(target, overwrite=True) == [str(target)]
    assert viewer.save_layers_here(tmp_path / "here.tif", [layer]) == [str(tmp_path / "here.tif")]
    assert np.array_equal(tifffile.imread(tmp_path / "here.tif"), pixels)
    viewer.open(root / "stack.tif")
    assert viewer.save_layers_here(tmp_path / "both") == [str(tmp_path / "both.zip")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both.zip", "here.tif"]
    with pytest.raises(DataError, match=r"save it with viewer.save_layers"):
        layer.save(str(tmp_path / "zeros.tif"))
    with pytest.raises(DataError, match="is outside the served roots"):
        viewer.save_layers(tmp_path / "x.tif", [layer])
    assert sorted(path.name for path in root.iterdir()) == ["frames", "noise.tif", "out.tif", "stack.tif"]


def test_local_files_go_through_a_network_that_breaks(
    server: ServerProcess, network: Network, connect: Connect, tmp_path: Path, rng: np.random.Generator
) -> None:
    pixels = rng.integers(0, 255, (5, 2048, 2048), np.uint8)  # noise: five chunks and a bit
    tifffile.imwrite(tmp_path / "big.tif", pixels)
    assert (tmp_path / "big.tif").stat().st_size > 5 * CHUNK_BYTES
    bad = network(server, Link(delay_s=0.005))
    viewer = connect(bad)
    seen: list[float] = []

    def cut_once(job: Any) -> None:
        if job.fraction is not None:
            if not seen:
                bad.reset()
            seen.append(job.fraction)

    viewer._session.data.board.watch(cut_once)
    (layer,) = viewer.open_local(tmp_path / "big.tif")
    assert seen, "no progress was told"
    assert seen == sorted(seen)
    assert layer.data.shape == pixels.shape
    back = viewer.save_layers_here(tmp_path / "back.tif", [layer])
    assert np.array_equal(tifffile.imread(back[0]), pixels)


def test_layers_made_here_with_much_data_are_sent(
    viewer: RemoteViewer, tmp_path: Path, rng: np.random.Generator
) -> None:
    levels = [rng.integers(0, 255, (side, side), np.uint8) for side in (1024, 512)]
    polygons = [rng.uniform(0, 9, (8_000, 2)) + 10 * number for number in range(8)]
    vertices = rng.uniform(0, 9, (30_000, 3))
    faces = rng.integers(0, len(vertices), (20_000, 3))
    viewer.add_image(levels, multiscale=True, name="pyramid", opacity=0.25)
    viewer.add_shapes(polygons, shape_type="path", name="outlines")
    viewer.add_surface((vertices, faces), name="mesh", shading="flat")
    viewer._session._wait(
        lambda: (
            {"pyramid", "outlines", "mesh"} <= {layer.name for layer in viewer.layers if hasattr(layer, "remote_id")}
        ),
        60,
        "not sent",
    )
    viewer.sync(60)
    assert len(viewer.layers) == 3
    assert viewer.layers["pyramid"].multiscale
    assert (viewer.layers["pyramid"].opacity, viewer.layers["mesh"].shading) == (0.25, "flat")
    (outlines,) = viewer.save_layers_here(tmp_path / "outlines.csv", [viewer.layers["outlines"]])
    saved = np.loadtxt(outlines, delimiter=",", skiprows=1, usecols=(0, 3, 4))
    assert np.allclose(saved[saved[:, 0] == 7][:, 1:], polygons[7])


def test_a_transfer_and_a_job_can_be_cancelled(viewer: RemoteViewer, tmp_path: Path, root: Path) -> None:
    data = viewer._session.data
    (tmp_path / "big.bin").write_bytes(bytes(20 * CHUNK_BYTES))
    job = data.upload([tmp_path / "big.bin"], lambda paths: pytest.fail("it was cancelled"))
    data.cancel(job)
    with pytest.raises(DataError, match=r"cancelled$"):
        viewer._session.finish_transfer(job, 30)
    number = data.open([str(root / "stack.tif")] * 200)
    started = lambda: data.board.of_intent(number) is not None  # noqa: E731
    assert viewer._session._host.wait_until(started, 30)
    data.cancel(data.board.of_intent(number).job)
    with pytest.raises(DataError, match=r"cancelled$"):
        viewer._session.finish(number, 30)
    viewer.sync()
    assert len(viewer.layers) == 0


def test_an_array_of_the_script_becomes_a_layer_of_the_server(viewer: RemoteViewer, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 4096, (1024, 1024), np.uint16)
    layer = viewer.add_image(pixels, name="mine/yours", colormap="viridis", scale=(2, 3), contrast_limits=(10, 3000))
    viewer.sync()
    assert list(viewer.layers) == [layer] and layer.name == "mine/yours"
    assert (layer.colormap.name, tuple(layer.scale), layer.contrast_limits) == ("viridis", (2, 3), [10, 3000])
    assert layer.get_value((1023 * 2, 1023 * 3), world=True) == pixels[-1, -1]


def ask(server: ServerProcess, method: str, target: str, body: bytes = b"", token: str = "") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"Authorization": f"Bearer {token or server.token}"}
    connection.request(method, target, body, headers)
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


def test_the_file_routes_refuse_in_one_line(server: ServerProcess, root: Path) -> None:
    for method, target in (("GET", "/files"), ("POST", "/uploads"), ("PUT", "/uploads/x"), ("GET", "/downloads/x")):
        status, answer = ask(server, method, target, token="wrong-token-of-some-length")
        assert (status, answer["code"]) == (401, "auth.wrong_token"), target
    for method, target, body, words in (
        ("GET", "/files?path=/etc", b"", "is outside the served roots"),
        ("GET", f"/files?path={root}/../..", b"", "is outside the served roots"),
        ("GET", "/files/readers?path=/etc/passwd", b"", "is outside the served roots"),
        ("GET", "/downloads/0123", b"", "no such file"),
        ("POST", "/uploads", b"{", "is malformed"),
        ("POST", "/uploads", b'{"group": 1}', "is malformed"),
        ("PUT", "/uploads/nothing?offset=0", b"x", "knows no such upload"),
    ):
        status, answer = ask(server, method, target, body)
        assert status in (404, 409), target
        assert words in answer["message"], target
        assert "\n" not in answer["message"]
    service = FileService(ClientConfig.from_url(server.connect_url))
    assert [entry.name for entry in service.list_folder("").entries] == [root.name]
