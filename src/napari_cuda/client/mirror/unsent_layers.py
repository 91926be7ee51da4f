"""UnsentLayers: layers made here whose data is too large for a message, while it is on its way to the server."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace
from napari.layers import Layer

from napari_cuda.client.mirror import remote_layers
from napari_cuda.client.mirror.new_layer import without_data
from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.protocol.commands import CreateLayer
from napari_cuda.protocol.errors import CommandError, DataError, with_trace
from napari_cuda.protocol.property import Property
from napari_cuda.protocol.wire_types import Wire


class Senders(Protocol):
    """Sends what a command cannot carry."""

    def send(
        self, name: str, arrays: Sequence[Any], then: Callable[[str], object], failed: Callable[[str], object]
    ) -> str:
        """Send arrays; `then` gets their path on the server, `failed` why not ("": it was given up). Names the job."""

    def watch(self, made_badly: Callable[[int, str, str], object]) -> None:
        """Have `made_badly` told of what a command began that it failed, why ("": given up), and the traceback."""

    def is_known(self, number: int) -> bool:
        """Return whether the command of this number began something that takes a while."""

    def give_up(self, job: str, number: int) -> None:
        """Give up a sending, or (number > 0) what a command began with it."""

    def wait_for(self, done: Callable[[], bool]) -> None:
        """In a script return when it is done; in a window at once. Raises what ends the session."""


class Ask(Protocol):
    """Asks the server to do something; 0: it could not be asked."""

    def __call__(self, name: str, **args: Wire) -> int:
        """Return the number of the request."""


@dataclass(slots=True)
class _Unsent:
    """One of them. What is set on it meanwhile waits here."""

    layer: Any
    created: CreateLayer
    job: str = ""
    number: int = 0
    """Of the command that makes it; 0: its data is not there yet."""
    late: dict[str, tuple[Property, Wire]] = field(default_factory=dict)


class UnsentLayers:
    """Owner: GUI thread. `set_late` is called with what was set meanwhile, once the server has the layer; `lose` with
    a layer that it will not have: the job has told the user why."""

    def __init__(
        self,
        command: Ask,
        set_late: Callable[[RemoteLayer, Property, Wire], None],
        lose: Callable[[RemoteLayer], None],
    ) -> None:
        self._command = command
        self._set_late = set_late
        self._lose = lose
        self._senders: Senders | None = None
        self._layers: dict[str, _Unsent] = {}
        """Bound: the transfers that there may be."""
        self._unwanted: set[str] = set()
        """Removed here while the server was making them. Bound: as those."""
        self._awaited = ""
        self._why, self._trace = "", ""
        """Why the layer that a script waits for was not made."""

    def __contains__(self, layer_id: object) -> bool:
        return layer_id in self._layers

    def __len__(self) -> int:
        return len(self._layers)

    def use(self, senders: Senders) -> None:
        """Send by these."""
        self._senders = senders
        senders.watch(self._made_badly)

    def send(self, layer: Layer, index: int) -> Any:
        """Send a layer's data, and have the server make the layer once that is there. It is remote from now on.

        CommandError if it cannot be sent.
        """
        if self._senders is None:
            raise CommandError("it is too large, and there is no way to send it")
        created, arrays = without_data(layer, index)
        layer_id, data = created.state.spec.layer, layer.data
        unsent = self._layers[layer_id] = _Unsent(layer, created)
        remote = remote_layers.take_over(layer, created.state)
        remote.unsent = data
        unsent.job = self._senders.send(
            layer.name, arrays, lambda path: self._sent(layer_id, path), lambda why: self._give_back(layer_id, why)
        )
        if layer_id not in self._layers:
            raise CommandError("too much is on its way already")
        return remote

    def note(self, layer_id: str, row: Property, value: Wire) -> None:
        """Something was set."""
        self._layers[layer_id].late[row.name] = (row, value)

    def give_up(self, layer_id: str) -> None:
        """The user removed one."""
        unsent = self._layers.pop(layer_id)
        if unsent.number:
            self._unwanted.add(layer_id)
        if self._senders is not None:
            self._senders.give_up(unsent.job, unsent.number)

    def is_unwanted(self, layer_id: str) -> bool:
        """Return, once, whether the server made a layer that was removed here meanwhile."""
        unwanted = layer_id in self._unwanted
        self._unwanted.discard(layer_id)
        return unwanted

    def is_there(self, layer_id: str) -> None:
        """The server has a layer: what was set since its data was sent goes there, too."""
        unsent = self._layers.pop(layer_id, None)
        if unsent is not None:
            unsent.layer.unsent = None
            for row, value in unsent.late.values():
                self._set_late(unsent.layer, row, value)

    def settled(self, numbers: Container[int]) -> None:
        """The server did what was asked by these numbers, began it, or refused."""
        for layer_id, unsent in list(self._layers.items()):
            if unsent.number in numbers and self._senders is not None and not self._senders.is_known(unsent.number):
                self._give_back(layer_id, "the server refused it")

    def end(self) -> None:
        """Another session begins."""
        for layer_id in list(self._layers):
            self._give_back(layer_id, "the session is another one")
        self._unwanted.clear()

    def wait_for(self, layer_id: str) -> None:
        """In a script return when the server has a layer; DataError if it will not."""
        if layer_id not in self._layers or self._senders is None:
            return
        self._awaited, self._why = layer_id, ""
        self._trace = ""
        try:
            self._senders.wait_for(lambda: layer_id not in self._layers)
        finally:
            self._awaited = ""
        if self._why:
            raise with_trace(DataError(self._why), self._trace)

    def _sent(self, layer_id: str, path: str) -> None:
        """The data is there."""
        unsent = self._layers.get(layer_id)
        if unsent is None:
            return
        state = unsent.created.state
        late = {name: value for name, (_, value) in unsent.late.items()}
        unsent.late.clear()
        created = replace(unsent.created, state=replace(state, values=state.values | late), uploaded=path)
        unsent.number = self._command("layer.create", **msgspec.to_builtins(created))
        if not unsent.number:
            self._give_back(layer_id, "there is no session")

    def _made_badly(self, number: int, why: str, trace: str) -> None:
        for layer_id in [layer_id for layer_id, unsent in self._layers.items() if unsent.number == number]:
            self._give_back(layer_id, why, trace)

    def _give_back(self, layer_id: str, why: str, trace: str = "") -> None:
        unsent = self._layers.pop(layer_id, None)
        if unsent is None:
            return
        if layer_id == self._awaited:
            self._why, self._trace = why or "it was cancelled", trace
        self._lose(unsent.layer)
