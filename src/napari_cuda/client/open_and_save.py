"""OpensAndSaves: `viewer.open`, `save_layers` and their kin, as a script calls them on a connected viewer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari_cuda.client.data_access import DataAccess
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import DataError

if TYPE_CHECKING:
    from napari.layers import Layer

LONGEST_JOB_S = 3600.0
"""How long a script waits unless it says otherwise: a large file on a slow disk is no error."""


class DataSession(Protocol):
    """What this needs of the session."""

    data: DataAccess

    def finish(self, number: int, timeout_s: float) -> m.JobUpdate:
        """Wait for the job of a request, and return how it ended."""

    def finish_transfer(self, job: str, timeout_s: float) -> m.JobUpdate:
        """Wait for one of our own transfers, and return how it ended."""


class OpensAndSaves:
    """Mixin of a connected viewer. Owner: GUI thread. All paths but those said to be local are the server's.

    Every method waits until it is done, and raises DataError in one line, with the plugin's name, if it cannot be.
    """

    layers: Any
    _session: Any

    def open(
        self,
        path: str | Path | Sequence[str | Path],
        *,
        stack: bool = False,
        plugin: str | None = None,
        layer_type: str | None = None,
        timeout_s: float = LONGEST_JOB_S,
        **properties: Any,
    ) -> list[Layer]:
        """Open paths on the server and return the new layers, as napari's `viewer.open` does.

        `plugin` None leaves the choice to the server; `properties` are set on the layers once they are there.
        """
        paths = [str(path)] if isinstance(path, (str, Path)) else [str(one) for one in path]
        session: DataSession = self._session
        number = session.data.open(paths, stack=stack, plugin=plugin or "", layer_type=layer_type or "")
        layers = self._by_id(session.finish(number, timeout_s).result.get("layers", []))
        for layer in layers:
            for name, value in properties.items():
                setattr(layer, name, value)
        return layers

    def open_sample(self, plugin: str, sample: str, *_args: Any, **_options: Any) -> list[Layer]:
        """Open a sample that the server's plugins have."""
        return self.open(f"sample:{plugin}:{sample}")

    def open_local(
        self, path: str | Path | Sequence[str | Path], *, timeout_s: float = LONGEST_JOB_S, **options: Any
    ) -> list[Layer]:
        """Send local files or folders to the server and open them there; options as for `open`."""
        sources = [Path(path)] if isinstance(path, (str, Path)) else [Path(one) for one in path]
        missing = next((source for source in sources if not source.exists()), None)
        if missing is not None:
            raise DataError(f"{missing} does not exist on this machine")
        session: DataSession = self._session
        remote: list[str] = []
        job = session.data.upload(sources, remote.extend)
        session.finish_transfer(job, timeout_s)
        return self.open(remote, timeout_s=timeout_s, **options)

    def save_layers(
        self,
        path: str | Path,
        layers: Sequence[Layer] | None = None,
        *,
        plugin: str | None = None,
        overwrite: bool = False,
        timeout_s: float = LONGEST_JOB_S,
    ) -> list[str]:
        """Save layers (None: all) to a path on the server; return the paths written.

        The suffix chooses the format, a path without one makes a folder. What is there stays unless `overwrite`.
        """
        session: DataSession = self._session
        number = session.data.save(str(path), self._ids(layers), plugin=plugin or "", overwrite=overwrite)
        return list(session.finish(number, timeout_s).result["paths"])

    def save_layers_here(
        self,
        path: str | Path,
        layers: Sequence[Layer] | None = None,
        *,
        plugin: str | None = None,
        timeout_s: float = LONGEST_JOB_S,
    ) -> list[str]:
        """Save layers (None: all) to a local path; return it, or that of the ZIP if the server wrote several files."""
        session: DataSession = self._session
        number = session.data.save_here(Path(path).absolute(), self._ids(layers), plugin=plugin or "")
        session.finish(number, timeout_s)
        return list(session.finish(-number, timeout_s).result["paths"])

    def _save_list(self, path: str, *, selected: bool = False, plugin: str | None = None, **_: Any) -> list[str]:
        """Stands in for `viewer.layers.save`, which would write data that is not here."""
        chosen = [layer for layer in self.layers if not selected or layer in self.layers.selection]
        return self.save_layers(path, chosen, plugin=plugin)

    def _ids(self, layers: Sequence[Layer] | None) -> list[str]:
        chosen: list[Any] = list(self.layers if layers is None else layers)
        if not chosen:
            raise DataError("there are no layers to save")
        return [layer.remote_id for layer in chosen]

    def _by_id(self, ids: Sequence[str]) -> list[Layer]:
        known = {layer.remote_id: layer for layer in self.layers if hasattr(layer, "remote_id")}
        return [known[layer_id] for layer_id in ids if layer_id in known]
