"""Opening paths with whatever reader plugins napari has."""

from __future__ import annotations

import logging

from napari.components import ViewerModel
from napari.plugins.utils import get_preferred_reader
from npe2 import PluginManager

from napari_cuda.protocol.errors import DataError
from napari_cuda.server.data.roots import ServedRoots
from napari_cuda.server.data.samples import SAMPLES

log = logging.getLogger(__name__)

BUILTIN = "napari"
"""The name of napari's own reader."""

SAMPLE_PREFIX = "sample:"


def open_path(viewer: ViewerModel, path: str, roots: ServedRoots) -> None:
    """Add the layers of a file, folder, URL or `sample:NAME` to the viewer.

    Owner: render thread. Raises DataError in one line, with the reader's own words, if the
    path is not allowed, does not exist or cannot be read; the viewer then is as before.
    """
    before = set(viewer.layers)
    try:
        if path.startswith(SAMPLE_PREFIX):
            _open_sample(viewer, path.removeprefix(SAMPLE_PREFIX))
        else:
            _open_file(viewer, roots.resolve(path))
    except DataError:
        raise
    except Exception as error:  # reader plugins raise anything
        for layer in [layer for layer in viewer.layers if layer not in before]:
            viewer.layers.remove(layer)
        log.debug("reader failed", exc_info=True)
        raise DataError(f"cannot open {path}: {_words(error)}") from error
    if set(viewer.layers) == before:
        raise DataError(f"cannot open {path}: no layer came of it")


def _open_file(viewer: ViewerModel, path: str) -> None:
    """Open a path with the plugin made for it: `viewer.open` takes napari's own reader unless told."""
    readers = PluginManager.instance().iter_compatible_readers([path])
    plugins = sorted({reader.plugin_name for reader in readers} - {BUILTIN})
    if len(plugins) != 1 or get_preferred_reader(path) is not None:
        # The one reader there is, or the one preferred; or napari's words on why it cannot choose.
        viewer.open(path, plugin=None)
        return
    before = set(viewer.layers)
    try:
        viewer.open(path, plugin=plugins[0])
    except ValueError as refusal:
        # It may have looked inside and seen that it is not for it: a plain Zarr array, say.
        if set(viewer.layers) != before:
            raise
        try:
            viewer.open(path, plugin=BUILTIN)
        except (ValueError, OSError):
            raise refusal from None


def _open_sample(viewer: ViewerModel, name: str) -> None:
    if name in SAMPLES:
        SAMPLES[name](viewer)
        return
    plugin, _, sample = name.rpartition(":")
    viewer.open_sample(plugin or "napari", sample)


def _words(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}"[:300] if lines else type(error).__name__
