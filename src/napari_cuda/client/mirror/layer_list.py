"""LayerListMirror: the layers of the server's scene in a napari viewer model, their order, which are selected."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import msgspec
import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_cuda.client.control.control_state import ControlStateContext, layer_object
from napari_cuda.client.mirror import remote_layers
from napari_cuda.client.mirror.layer_steps import LayerSteps
from napari_cuda.client.mirror.napari_adapter import added_unselected, show_links
from napari_cuda.client.mirror.new_layer import TooLarge, creation
from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.client.mirror.unsent_layers import Senders, UnsentLayers
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import CommandError, NapariCudaError
from napari_cuda.protocol.layer_rows import PLACEMENT
from napari_cuda.protocol.ordering import moves
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.wire_types import Wire


class LayerListOwner(Protocol):
    """What the layer list needs of the mirror it is a part of."""

    @property
    def applying(self) -> bool:
        """True while the server's values are shown: what changes then is no wish of the user."""

    def placing(self) -> AbstractContextManager[None]:
        """Within this the user moves a layer, and what else changes is no wish of the user."""

    def command(self, name: str, **args: Wire) -> int:
        """Ask the server to do something; return the number under which it is acknowledged (0: not asked)."""

    def flush(self) -> None:
        """Send what was set."""

    def flush_soon(self) -> None:
        """Send what was set, together with what follows within a moment."""

    def notify(self, text: str) -> None:
        """Tell the user one line."""

    def post(self, call: Callable[[], None]) -> object:
        """Run `call` after what runs now."""


@dataclass(frozen=True, slots=True)
class _Removed:
    """A layer that the user removed here; the server may refuse."""

    layer: Layer
    number: int


class LayerListMirror:
    """Owner: GUI thread."""

    def __init__(self, viewer: ViewerModel, control: ControlStateContext, owner: LayerListOwner) -> None:
        self._viewer = viewer
        self._control = control
        self._owner = owner
        self._layers: dict[str, Layer] = {}
        self._removed: dict[str, _Removed] = {}
        """Removed here and not (yet) by the server. Bound: the layers that there were."""
        self._created: dict[str, int] = {}
        """Made here and not yet by the server: the number of the command. Bound: the layers that there are."""
        self._unsent = UnsentLayers(owner.command, self._on_set, self._lose)
        self._set_here: set[str] = set()
        """Something was set on them here, and not compared yet what napari made of it. Bound: the layers there are."""
        self._links: list[list[str]] = []
        self.steps = LayerSteps(viewer.layers.batched_update)
        """What the server told last is shown when none is left."""
        self._link_here = viewer.layers.link_layers
        self._unlink_here = viewer.layers.unlink_layers
        self._insert_here = viewer.layers.insert
        viewer.layers.insert = self._insert
        viewer.layers.link_layers = self._link
        viewer.layers.unlink_layers = self._unlink
        self._flush_due = False
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.events.reordered.connect(self._on_reordered)
        viewer.layers.selection.events.connect(self._on_selection)

    def use(self, senders: Senders) -> None:
        """Send by these what is too large for a command."""
        self._unsent.use(senders)

    @property
    def sending(self) -> bool:
        """True while the data of a layer that is here is on its way to the server."""
        return len(self._unsent) > 0

    # --- from the server ----------------------------------------------------------------

    def begin(self, states: list[m.LayerState]) -> None:
        """Show these layers and no others, in steps."""
        self._layers.clear()
        self._removed.clear()
        self._created.clear()
        self._unsent.end()
        self._set_here.clear()
        self._links = []

        def finish() -> None:
            self._show_names()
            self.show()

        gone = [partial(self._take_away, layer) for layer in self._viewer.layers]
        self.steps.begin([*gone, *(partial(self._add, state) for state in states)], finish)

    def update(self, update: m.SceneUpdate) -> None:
        """Follow what was added, removed, reordered or selected, in steps."""
        steps = []
        for layer_id in update.removed:
            self._control.forget(layer_object(layer_id))
            self._removed.pop(layer_id, None)
            layer = self._layers.pop(layer_id, None)
            if layer is not None:
                steps.append(partial(self._take_away, layer))
        steps += [partial(self._show_added, state, update.revision) for state in update.added]

        def finish() -> None:
            self._control.mirror(Scope.SCENE, update.values, update.revision)
            if steps:
                self._show_names()
            self.show()

        self.steps.begin(steps, finish)

    def _take_away(self, layer: Layer) -> None:
        if layer in self._viewer.layers:  # else the user was faster
            self._viewer.layers.remove(layer)

    def _show_added(self, state: m.LayerState, revision: int) -> None:
        self._created.pop(state.spec.layer, None)
        if self._unsent.is_unwanted(state.spec.layer):
            self._owner.command("layer.remove", layer=state.spec.layer)
            return
        shown = self._control.mirror(layer_object(state.spec.layer), state.values, revision)
        known = self._find(state.spec.layer)
        if known is None:
            self._add(state)
        else:  # made here, or heard of just before the connection was lost
            remote_layers.place(known, state.spec)
            remote_layers.show(known, shown)
            self._unsent.is_there(state.spec.layer)

    def update_layer(self, update: m.LayerUpdate) -> bool:
        """Follow a change of one layer; True if its geometry changed."""
        layer = self._find(update.layer)
        shown = self._control.mirror(layer_object(update.layer), update.values, update.revision)
        if layer is None:
            return False
        if update.spec is not None:
            remote_layers.place(layer, update.spec)
        remote_layers.show(layer, shown)
        if update.edited and isinstance(layer, RemoteLayer):
            layer.edited()
        if "visible" in shown:
            self._show_mode(update.layer)
        if "name" in update.values:
            self._show_names()
        return update.spec is not None or not PLACEMENT.isdisjoint(shown)

    def show_modes(self) -> None:
        """Show the modes that the server told: napari changes them with what can be edited."""
        for layer_id in self._layers:
            self._show_mode(layer_id)

    def _show_mode(self, layer_id: str) -> None:
        layer = self._find(layer_id)
        known = self._control.known(layer_object(layer_id))
        if layer is not None and "mode" in known:
            remote_layers.show(layer, {"mode": known["mode"]})

    def restore_layer(self, layer_id: str, values: m.Values) -> None:
        """Show the server's values of a layer again."""
        layer = self._find(layer_id)
        if layer is not None:
            remote_layers.show(layer, values)
        if "name" in values:
            self._show_names()

    def settled(self, numbers: Container[int]) -> bool:
        """The server did what was asked by these numbers, or never will: what it did not remove comes back,
        what it did not make goes. True if there was any."""
        unmade = [layer_id for layer_id, asked in self._created.items() if asked in numbers]
        for layer_id in unmade:
            del self._created[layer_id]
            self._removed.pop(layer_id, None)  # made and removed at once: the server told nobody of it
            self._control.forget(layer_object(layer_id))
            layer = self._layers.pop(layer_id, None)
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._unsent.settled(numbers)
        refused = [layer_id for layer_id, removed in self._removed.items() if removed.number in numbers]
        for layer_id in refused:
            layer = self._removed.pop(layer_id).layer
            self._layers[layer_id] = layer
            self._viewer.layers.append(layer)
        if refused or unmade:
            self.show()
        return bool(refused or unmade)

    def settle_values(self) -> None:
        """Show what the server told of layers on which all that was set here is done.

        napari sets more than it is asked to, and what of that came out otherwise here the server need not tell: there
        it may never have changed. Of a range of contrast limits that went down and up again it hears nothing.
        """
        for layer_id in [
            layer_id for layer_id in self._set_here if not self._control.is_pending(layer_object(layer_id))
        ]:
            self._set_here.discard(layer_id)
            layer = self._find(layer_id)
            if layer is not None:
                remote_layers.show(layer, self._control.known(layer_object(layer_id)))

    def show(self) -> None:
        """Show the order and the selection that the server told, but for what the user set since."""
        known = self._control.known(Scope.SCENE)
        layers = self._viewer.layers
        wanted = [self._layers[layer_id] for layer_id in known.get("order", []) if layer_id in self._layers]
        for source, before in moves(list(layers), wanted):
            layers.move(source, before)
        chosen = {self._layers[layer_id] for layer_id in known.get("selection", []) if layer_id in self._layers}
        if set(layers.selection) != chosen:
            layers.selection = chosen
        active = self._layers.get(known.get("active") or "")
        if layers.selection.active is not active and (active is None or active in layers):
            layers.selection.active = active
        self._show_links(known.get("links", []))

    def _show_names(self) -> None:
        """Show the names that the server told: napari counts up a name that another layer has, or only had."""
        wrong = {
            layer_id: name
            for layer_id, layer in self._layers.items()
            if (name := self._control.known(layer_object(layer_id)).get("name", layer.name)) != layer.name
        }
        for _ in range(len(wrong)):  # each round frees a name for the next
            for layer_id, name in list(wrong.items()):
                remote_layers.show(self._layers[layer_id], {"name": name})
                if self._layers[layer_id].name == name:
                    del wrong[layer_id]

    def _show_links(self, links: list[list[str]]) -> None:
        if links != self._links:
            self._links = links
            show_links(
                [[self._layers[layer_id] for layer_id in group if layer_id in self._layers] for group in links],
                self._viewer.layers,
            )
            self._viewer.layers.selection.events.changed(added={}, removed={})  # the menus look again

    def show_thumbnail(self, message: m.LayerThumbnail) -> None:
        """Show a layer's thumbnail in the list."""
        layer = self._find(message.layer)
        if layer is not None:
            picture = np.frombuffer(message.rgba, np.uint8).reshape(message.height, message.width, 4)
            layer.thumbnail = picture

    def show_histogram(self, message: m.LayerHistogram) -> None:
        """Show a layer's histogram."""
        layer: Any = self._find(message.layer)
        if layer is not None:
            layer.histogram.show(message.bin_edges, message.counts)

    def _find(self, layer_id: str) -> Layer | None:
        removed = self._removed.get(layer_id)
        return removed.layer if removed is not None else self._layers.get(layer_id)

    def _add(self, state: m.LayerState) -> None:
        layer: Any = remote_layers.build(state)
        with added_unselected(self._viewer.layers):  # the server says what is selected
            self._viewer.add_layer(layer)
        self._layers[state.spec.layer] = layer
        layer.attach(self._on_set, self._on_command, self._owner.placing)

    # --- from the user ------------------------------------------------------------------

    def _on_set(self, layer: RemoteLayer, row: Property, value: Wire) -> None:
        if layer.remote_id in self._unsent:
            self._unsent.note(layer.remote_id, row, value)
            return
        self._set_here.add(layer.remote_id)
        if self._control.set_local(layer_object(layer.remote_id), row.name, value):
            self._owner.flush_soon()

    def _on_command(self, name: str, args: dict[str, Wire]) -> None:
        if args.get("layer") in self._unsent:
            self._owner.notify("a layer's data is on its way to the server: it can do nothing with it yet")
        else:
            self._owner.command(name, **args)

    def _link(self, layers: Iterable[str | Layer] | None = None, attributes: Iterable[str] = ()) -> None:
        ids = self._remote_ids(layers)
        if ids is None:
            self._link_here(layers, attributes)
        elif not self._owner.applying:
            self._owner.command("layers.link", layers=ids, attributes=list(attributes))

    def _unlink(self, layers: Iterable[str | Layer] | None = None, attributes: Iterable[str] = ()) -> None:
        ids = self._remote_ids(layers)
        if ids is None:
            self._unlink_here(layers, attributes)
        elif not self._owner.applying and any(layer_id in group for layer_id in ids for group in self._links):
            self._owner.command("layers.unlink", layers=ids, attributes=list(attributes))

    def _remote_ids(self, layers: Iterable[str | Layer] | None) -> list[Wire] | None:
        """Return the ids of layers, by themselves or by name; None if not all are remote."""
        chosen = list(self._viewer.layers if layers is None else layers)
        found = [self._viewer.layers[layer] if isinstance(layer, str) else layer for layer in chosen]
        ids: list[Wire] = [layer.remote_id for layer in found if isinstance(layer, RemoteLayer)]
        return ids if len(ids) == len(found) else None

    def _on_reordered(self, _event: Any) -> None:
        if self._owner.applying:
            return
        ids = [layer_id for layer in self._viewer.layers if (layer_id := self._id_there(layer)) is not None]
        # Those that are there once what was asked before this is done. Else the server says the order.
        there = {*self._control.known(Scope.SCENE).get("order", []), *self._created} - set(self._removed)
        if set(ids) == there:
            self._tell(self._control.set_local(Scope.SCENE, "order", ids))

    def _on_selection(self, _event: Any) -> None:
        if self._owner.applying:
            return
        selection = self._viewer.layers.selection
        active: Any = selection.active
        chosen = sorted(layer_id for layer in selection if (layer_id := self._id_there(layer)) is not None)
        changed = self._control.set_local(Scope.SCENE, "selection", chosen)
        changed |= self._control.set_local(Scope.SCENE, "active", self._id_there(active))
        self._tell(changed)

    def _tell(self, changed: bool) -> None:
        if changed and not self._flush_due:
            # napari empties a selection before it fills it again: send what comes of it, once.
            self._flush_due = True
            self._owner.post(self._flush)

    def _id_there(self, layer: Layer | None) -> str | None:
        """Return the id of a layer that the server has, or is told of before."""
        return layer.remote_id if isinstance(layer, RemoteLayer) and layer.remote_id not in self._unsent else None

    def _flush(self) -> None:
        self._flush_due = False
        self._owner.flush()

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        if self._owner.applying or not isinstance(layer, RemoteLayer):
            return
        if layer.remote_id in self._unsent:
            self._layers.pop(layer.remote_id, None)
            self._unsent.give_up(layer.remote_id)
            return
        if layer.remote_id not in self._layers:
            return  # it is gone already
        known = self._layers.pop(layer.remote_id, None)
        number = self._owner.command("layer.remove", layer=layer.remote_id)
        if known is not None and number:
            self._removed[layer.remote_id] = _Removed(known, number)

    def _insert(self, index: int, layer: Layer) -> None:
        """Insert a layer; the user's become remote before: napari makes visuals and controls for what is inserted."""
        remote: Any = None
        if not self._owner.applying and not isinstance(layer, RemoteLayer) and layer not in self._viewer.layers:
            try:
                remote = self._create(index, layer)
            except NapariCudaError as error:
                self._take_back(layer, str(error))
        self._insert_here(index, layer)
        if remote is not None:  # not before: napari may count its name up, and so does the server's
            remote.attach(self._on_set, self._on_command, self._owner.placing)
            self._wait_for(layer)

    def _create(self, index: int, layer: Layer) -> Any:
        try:
            created = creation(layer, index)
        except TooLarge:
            remote = self._unsent.send(layer, index)
            self._layers[remote.remote_id] = layer
            return remote
        number = self._owner.command("layer.create", **msgspec.to_builtins(created))
        if not number:
            raise CommandError("there is no session")
        layer_id = created.state.spec.layer
        self._created[layer_id] = number
        self._layers[layer_id] = layer
        return remote_layers.take_over(layer, created.state)

    def _take_back(self, layer: Layer, reason: str) -> None:
        def take_back() -> None:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
            self._owner.notify(f"{layer.name!r} was not added: {reason}")

        # After napari is done inserting it.
        self._owner.post(take_back)

    def _lose(self, layer: RemoteLayer) -> None:
        """A layer will not be made, for its data did not arrive: it goes here, too."""
        self._layers.pop(layer.remote_id, None)
        self._control.forget(layer_object(layer.remote_id))
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _wait_for(self, layer: Any) -> None:
        """In a script return when the server has a layer whose data is on its way; DataError if it will not."""
        try:
            self._unsent.wait_for(layer.remote_id)
        except BaseException:  # an interrupt too: nothing is left of it, here or there
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
            raise
