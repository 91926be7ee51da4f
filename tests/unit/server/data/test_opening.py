"""Opening real files with napari's real readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Labels
from napari.plugins import _initialize_plugins

from napari_cuda.protocol.errors import DataError
from napari_cuda.server.data.opening import OpenRequest, open_path, read_layers, readers_of
from napari_cuda.server.data.roots import ServedRoots

EVERYWHERE = ServedRoots(urls=["https://data.example/"])


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    """As the server's canvas adapter does before it makes a viewer."""
    _initialize_plugins()


@pytest.fixture
def viewer() -> ViewerModel:
    """A viewer that has a layer already: whatever fails must leave it alone."""
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 4), np.uint8), name="before")
    return viewer


@pytest.fixture
def stack(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, rng.integers(0, 4096, (3, 20, 30), np.uint16), photometric="minisblack")
    return path


def test_a_tiff_stack_opens_with_its_values(viewer: ViewerModel, stack: Path) -> None:
    open_path(viewer, str(stack), EVERYWHERE)
    assert [layer.name for layer in viewer.layers] == ["before", "stack"]
    assert np.array_equal(np.asarray(viewer.layers["stack"].data), tifffile.imread(stack))


@pytest.mark.parametrize(("stack_them", "plugin"), [(False, ""), (False, "napari"), (True, "napari")])
def test_no_script_is_ever_run(viewer: ViewerModel, tmp_path: Path, stack_them: bool, plugin: str) -> None:
    trace, script, link = tmp_path / "trace", tmp_path / "innocent.py", tmp_path / "innocent.tif"
    script.write_text(f"open({str(trace)!r}, 'w').close()")
    link.symlink_to(script)
    for path in (str(script), str(link), "https://data.example/innocent.py"):
        with pytest.raises(DataError, match=r"is a Python script, and the server runs none"):
            read_layers(OpenRequest([path, path], stack_them, plugin), EVERYWHERE)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["sample:balls_3d", "sample:napari:balls_3d"])
def test_napari_s_samples_open_by_name_whatever_the_roots(viewer: ViewerModel, name: str, tmp_path: Path) -> None:
    open_path(viewer, name, ServedRoots([tmp_path]))
    assert len(viewer.layers) > 1
    assert viewer.layers[1].ndim == 3


def corrupt(stack: Path) -> Path:
    """A TIFF that begins well."""
    broken = stack.with_name("broken.tif")
    broken.write_bytes(stack.read_bytes()[:100] + bytes(50))
    return broken


def noise(stack: Path) -> Path:
    other = stack.with_name("noise.tif")
    other.write_bytes(b"this is no TIFF" * 50)
    return other


def unknown(stack: Path) -> Path:
    other = stack.with_name("notes.of-no-reader")
    other.write_text("nothing to see")
    return other


def missing(stack: Path) -> Path:
    return stack.with_name("missing.tif")


def outside(stack: Path) -> Path:
    return Path("/etc/hosts")


def impossible(stack: Path) -> Path:
    return stack.with_name("nul\0.tif")


@pytest.mark.parametrize("make", [corrupt, noise, unknown, missing, outside, impossible])
def test_what_cannot_be_opened_is_refused_in_one_line_and_changes_nothing(
    viewer: ViewerModel, stack: Path, make: object
) -> None:
    path = make(stack)  # type: ignore[operator]
    before = list(viewer.layers)
    with pytest.raises(DataError) as caught:
        open_path(viewer, str(path), ServedRoots([stack.parent]))
    assert "\n" not in str(caught.value)
    assert path.name.split("\0")[0] in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert list(viewer.layers) == before


@pytest.mark.parametrize("name", ["sample:no-such-sample", "sample:no-such-plugin:x", "sample:"])
def test_samples_that_do_not_exist_are_refused(viewer: ViewerModel, name: str) -> None:
    with pytest.raises(DataError, match="cannot open sample:") as caught:
        open_path(viewer, name, EVERYWHERE)
    assert "\n" not in str(caught.value)
    assert [layer.name for layer in viewer.layers] == ["before"]


def test_a_reader_that_fails_halfway_leaves_no_layer(
    viewer: ViewerModel, stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_some(self: ViewerModel, paths: list[str], **options: object) -> None:
        self.add_image(np.zeros((2, 2)), name="half")
        raise RuntimeError("\n  disk on fire  \nlots of detail")

    monkeypatch.setattr(ViewerModel, "open", open_some)
    with pytest.raises(DataError, match=r"RuntimeError: disk on fire$"):
        open_path(viewer, str(stack), EVERYWHERE)
    assert [layer.name for layer in viewer.layers] == ["before"]


def test_files_open_as_one_stack_or_each_by_itself(stack: Path) -> None:
    slices = []
    for number, plane in enumerate(tifffile.imread(stack)):
        slices.append(str(stack.with_name(f"t{number}.tif")))
        tifffile.imwrite(slices[-1], plane, photometric="minisblack")
    (together,) = read_layers(OpenRequest(slices, stack=True), EVERYWHERE)
    assert np.array_equal(np.asarray(together.data), tifffile.imread(stack))
    assert [layer.name for layer in read_layers(OpenRequest(slices), EVERYWHERE)] == ["t0", "t1", "t2"]


def test_the_layer_type_may_be_asked_for(stack: Path) -> None:
    (layer,) = read_layers(OpenRequest([str(stack)], plugin="napari", layer_type="labels"), EVERYWHERE)
    assert isinstance(layer, Labels)
    assert layer.source.path == str(stack)


def test_a_plugin_s_error_has_its_name(stack: Path) -> None:
    assert readers_of(str(stack)) == {"napari": "napari builtins"}
    with pytest.raises(DataError, match=r"^cannot open .*noise\.tif: napari: \w+Error: ."):
        read_layers(OpenRequest([str(noise(stack))]), EVERYWHERE)
    with pytest.raises(DataError, match=r"^cannot open .*stack\.tif: no-such-plugin: ValueError: .*does not exist"):
        read_layers(OpenRequest([str(stack)], plugin="no-such-plugin"), EVERYWHERE)
