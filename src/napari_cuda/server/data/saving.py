"""Writing layers with whatever writer plugins napari has: whole, or not at all."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from napari.layers import Layer
from napari.plugins.io import save_layers
from npe2 import PluginManager

from napari_cuda.layer_state import size_bytes
from napari_cuda.protocol.errors import DataError
from napari_cuda.server.data.listing import is_zarr
from napari_cuda.server.data.roots import ServedRoots

log = logging.getLogger(__name__)


def check_target(path: str, roots: ServedRoots, *, overwrite: bool) -> Path:
    """Return where to write; DataError in one line if nothing may be written there, or something is there already."""
    target = roots.resolve_new(path)
    if target.exists() and not overwrite:
        raise DataError(f"{path} exists already")
    if not os.access(target.parent, os.W_OK):
        raise DataError(f"the server may not write to {target.parent}")
    return target


def write_layers(
    layers: Sequence[Layer],
    target: Path,
    plugin: str,
    *,
    overwrite: bool = False,
    before_moving: Callable[[], None] = lambda: None,
) -> list[str]:
    """Write layers to `target` (its suffix chooses the format) and return the paths written. Any thread.

    Written beside it first and moved when whole: what stood there before is lost only then, only with
    `overwrite`, and not if `before_moving` raises.
    DataError in one line, with the plugin's name if one was asked for.
    """
    with tempfile.TemporaryDirectory(prefix=".napari-cuda-", dir=target.parent, ignore_cleanup_errors=True) as aside:
        new = Path(aside) / "new"
        new.mkdir()
        _write(layers, new / target.name, plugin)
        written = sorted(new.iterdir())
        if not written:
            raise DataError(f"cannot save {target}: {plugin or 'the writer'} wrote nothing")
        before_moving()
        places = [target.parent / item.name for item in written]
        for place in places:
            # Not only `target`: a writer may add a suffix.
            if place.exists() and not overwrite:
                raise DataError(f"{place} exists already")
        for item, place in zip(written, places, strict=True):
            _move(item, place, Path(aside))
    return [str(place) for place in places]


def _move(item: Path, place: Path, aside: Path) -> None:
    """Put what was written in its place: a Zarr in the place of a Zarr, files into a folder beside what is there."""
    try:
        if place.is_dir() and not place.is_symlink():
            if not item.is_dir() or is_zarr(item) != is_zarr(place):
                raise DataError(f"{place} is a folder of other things: save under another name")
            if not is_zarr(item):
                for inner in sorted(item.iterdir()):
                    _move(inner, place / inner.name, aside)
                return
            # A folder cannot be replaced in one step.
            place.rename(Path(tempfile.mkdtemp(dir=aside)) / place.name)
        os.replace(item, place)
    except OSError as error:
        raise DataError(f"cannot save {place}: {error.strerror or error}") from None


def write_one_file(layers: Sequence[Layer], target: Path, plugin: str) -> Path:
    """Write layers into the empty folder of `target`; return the one file that can be downloaded, a ZIP if need be.

    DataError in one line, also if the layers are larger than what is free there: others need that disk.
    """
    needed, free = sum(size_bytes(layer) for layer in layers), shutil.disk_usage(target.parent).free
    if needed > free:
        raise DataError(
            f"cannot write {target.name}: it needs up to {needed / 1e9:.1f} GB, and the server has {free / 1e9:.1f} GB "
            "for downloads: save it on the server"
        )
    _write(layers, target, plugin)
    written = sorted(target.parent.iterdir())
    if not written:
        raise DataError(f"cannot save {target.name}: {plugin or 'the writer'} wrote nothing")
    if len(written) == 1 and written[0].is_file():
        return written[0]
    archive = target.parent / f"{target.name}.zip"
    files = sorted(path for path in target.parent.rglob("*") if path.is_file())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, allowZip64=True) as packed:
        for file in files:
            packed.write(file, file.relative_to(target.parent))
    return archive


def writers_of(kinds: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """Return the writers that take layers of these kinds: (plugin, title, suffixes; none: a folder)."""
    plugins = PluginManager.instance()
    found = []
    for writer in plugins.iter_compatible_writers(list(kinds)):
        name = plugins.get_manifest(writer.command).display_name
        title = f"{name} {writer.display_name}".strip()
        found.append((writer.plugin_name, title, [suffix for suffix in writer.filename_extensions if suffix]))
    return found


def _write(layers: Sequence[Layer], path: Path, plugin: str) -> None:
    said: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            # napari says that there is no writer in a warning.
            warnings.simplefilter("always", UserWarning)
            written = save_layers(str(path), list(layers), plugin=plugin or None)
            said = [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]
    except Exception as error:  # writer plugins raise anything
        log.debug("writer failed", exc_info=True)
        words = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        raise DataError(f"cannot save {path.name}: {plugin + ': ' if plugin else ''}{words}") from error
    if not written and not path.exists():
        reason = said[-1].splitlines()[0].replace(str(path), path.name) if said else "no plugin writes these layers"
        raise DataError(f"cannot save {path.name}: {reason}")
