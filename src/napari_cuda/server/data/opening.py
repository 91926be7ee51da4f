"""Reading paths with whatever reader plugins napari has; adding what they gave to a viewer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from napari.components import ViewerModel
from napari.errors import ReaderPluginError
from napari.layers import Layer
from napari.plugins.utils import get_preferred_reader
from npe2 import PluginManager

from napari_cuda.layer_state import check_drawable
from napari_cuda.protocol.errors import DataError
from napari_cuda.server.data import remote
from napari_cuda.server.data.chunks import Chunks
from napari_cuda.server.data.roots import ServedRoots
from napari_cuda.server.data.samples import SAMPLES

log = logging.getLogger(__name__)

BUILTIN = "napari"
"""The name of napari's own reader."""

SAMPLE_PREFIX = "sample:"


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """What is to be opened, as `viewer.open` takes it; `plugin` "" leaves the choice to napari."""

    paths: Sequence[str]
    stack: bool = False
    plugin: str = ""
    layer_type: str = ""


def open_path(viewer: ViewerModel, path: str, roots: ServedRoots, chunks: Chunks | None = None) -> None:
    """Add the layers of a file, folder, URL or `sample:NAME` to the viewer.

    Owner: render thread. Raises DataError in one line, with the reader's own words, if the
    path is not allowed, does not exist or cannot be read; the viewer then is as before.
    """
    for layer in read_layers(OpenRequest([path]), roots, chunks):
        viewer.add_layer(layer)


def read_layers(request: OpenRequest, roots: ServedRoots, chunks: Chunks | None = None) -> list[Layer]:
    """Return the layers of all paths, in no viewer yet. Any thread; it may take as long as the reader does.

    With `chunks`, what is a plain array of a store is read through that cache.

    Raises DataError in one line, with the plugin's name and words, if a path is not allowed, does
    not exist or cannot be read.
    """
    catch = ViewerModel() if chunks is None else _caching_viewer(chunks)
    # Nobody hears of what is added: nothing is sliced here.
    catch.layers.events.inserted.disconnect()
    together = [request.paths] if request.stack else [[path] for path in request.paths]
    for paths in together:
        before = len(catch.layers)
        name = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        try:
            if paths[0].startswith(SAMPLE_PREFIX):
                _open_sample(catch, paths[0].removeprefix(SAMPLE_PREFIX))
            else:
                found = [_no_script(roots.resolve(path)) for path in paths]
                with remote.opening(found):
                    _open_files(catch, found, request)
        except DataError:
            raise
        except Exception as error:  # reader plugins raise anything
            log.debug("reader failed", exc_info=True)
            raise DataError(f"cannot open {name}: {_words(error)}") from error
        if len(catch.layers) == before:
            raise DataError(f"cannot open {name}: no layer came of it")
    layers = list(catch.layers)
    for layer in layers:
        try:
            check_drawable(layer)
        except ValueError as error:
            raise DataError(f"cannot open {request.paths[0]}: {error}") from None
    catch.layers.clear()
    return layers


def _caching_viewer(chunks: Chunks) -> ViewerModel:
    from napari_cuda.server.data.chunked_layers import CachingViewer  # noqa: PLC0415 -- dask and zarr take a second

    return CachingViewer(chunks)


def readers_of(path: str) -> dict[str, str]:
    """Return the reader plugins that say they can read a path: name → what the plugin calls itself."""
    plugins = PluginManager.instance()
    readers = {reader.plugin_name: reader for reader in plugins.iter_compatible_readers([path])}
    return {name: plugins.get_manifest(reader.command).display_name for name, reader in readers.items()}


def _no_script(path: str) -> str:
    """Return the path; DataError if napari's own reader would run what is in it, with all that the server may do."""
    if path.lower().endswith(".py"):
        raise DataError(f"{path} is a Python script, and the server runs none: run it where the window is")
    return path


def _open_files(viewer: ViewerModel, paths: list[str], request: OpenRequest) -> None:
    """Open paths with the plugin made for them: `viewer.open` takes napari's own reader unless told."""
    options = {"stack": request.stack, "layer_type": request.layer_type or None}
    plugins = [request.plugin] if request.plugin else sorted(set(readers_of(paths[0])) - {BUILTIN})
    if not request.plugin and (len(plugins) != 1 or get_preferred_reader(paths[0]) is not None):
        # The one reader there is, or the one preferred; or napari's words on why it cannot choose.
        viewer.open(paths, plugin=None, **options)
        return
    before = len(viewer.layers)
    try:
        viewer.open(paths, plugin=plugins[0], **options)
    except Exception as error:
        failure = ReaderPluginError(str(error), plugins[0], paths, original_error=error)
        # It may have looked inside and seen that it is not for it: a plain Zarr array, say.
        if request.plugin or len(viewer.layers) != before or not isinstance(error, ValueError):
            raise failure from error
        try:
            viewer.open(paths, plugin=BUILTIN, **options)
        except (ValueError, OSError):
            raise failure from error


def _open_sample(viewer: ViewerModel, name: str) -> None:
    if name in SAMPLES:
        SAMPLES[name](viewer)
        return
    plugin, _, sample = name.rpartition(":")
    viewer.open_sample(plugin or BUILTIN, sample)


def _words(error: BaseException) -> str:
    """Return an error in one line; a plugin's with its name."""
    if isinstance(error, ReaderPluginError) and error.__cause__ is not None:
        return f"{error.reader_plugin}: {_words(error.__cause__)}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}"[:300] if lines else type(error).__name__
