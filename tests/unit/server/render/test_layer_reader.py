"""The reader of a layer: it tells what the layer is, and reads no more than what may have changed."""

from __future__ import annotations

from typing import Any

import pytest

from layers_of_each_kind import layer_of
from napari_cuda import conversion
from napari_cuda.evented_parts import watch_parts
from napari_cuda.layer_state import layer_spec, layer_values
from napari_cuda.protocol.layer_rows import PLACEMENT
from napari_cuda.protocol.properties import LAYER_KINDS, layer_properties
from napari_cuda.protocol.property import Property
from napari_cuda.server.render.layer_reader import LayerReader


class Reads:
    """A layer with its reader, who hears of its events, and the names of the rows that are read."""

    def __init__(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.layer = layer_of(kind)
        self.reader = LayerReader(self.layer, "L1")
        self.reader.state()
        self.layer.events.connect(lambda event: self.reader.note(event.type))
        watch_parts(self.layer, layer_properties(kind).values(), lambda row: self.reader.note(row.name))
        self._names: list[str] = []
        native, to_wire = conversion.native, conversion.to_wire

        def noting(root: Any, row: Property) -> Any:
            self._names.append(row.name)
            return native(root, row)

        def converting(row: Property, value: Any) -> Any:
            self.converted.append(row.name)
            return to_wire(row, value)

        self.converted: list[str] = []
        monkeypatch.setattr(conversion, "native", noting)
        monkeypatch.setattr(conversion, "to_wire", converting)

    def names(self) -> set[str]:
        """Look, and return the rows that were read for it."""
        self._names.clear()
        self.converted.clear()
        self.reader.state()
        return set(self._names)


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_whatever_is_set_is_told(kind: str) -> None:
    layer = layer_of(kind)
    reader = LayerReader(layer, "L1")
    layer.events.connect(lambda event: reader.note(event.type))
    watch_parts(layer, layer_properties(kind).values(), lambda row: reader.note(row.name))
    for row in layer_properties(kind).values():
        for value in row.examples if row.writable else ():
            conversion.write(layer, row, value)
            reader.note(row.name)  # as the bridge does for what a client sets
            state = reader.state()
            assert state.values == layer_values(layer), row.name
            assert state.spec == layer_spec(layer, "L1"), row.name


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_only_what_an_event_is_about_is_read(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(kind, monkeypatch)
    assert reads.names() == set(), "nothing happened"
    reads.layer.opacity = 0.5
    assert reads.names() == {"opacity"}
    reads.layer.bounding_box.visible = True
    assert reads.names() <= {"bounding_box.visible"}
    reads.layer.translate = (1, 2, 3)
    assert reads.names() - {"size", "shown"} == PLACEMENT


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_a_slice_costs_next_to_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(kind, monkeypatch)
    reads.layer.events.set_data()
    reads.layer.events.loaded()
    assert reads.names() == ({"size", "shown"} if kind == "points" else set())
    assert reads.converted == [], "the arrays are the ones that were looked at"


def test_new_sizes_are_seen_though_napari_only_says_that_it_draws() -> None:
    layer = layer_of("points")
    reader = LayerReader(layer, "L1")
    layer.events.connect(lambda event: reader.note(event.type))
    assert reader.state().values["size"] == 7
    layer.size = 9
    assert reader.state().values["size"] == 9
    layer.shown = False
    assert reader.state().values["shown"] is False


def test_elements_that_change_in_place_are_looked_at_again() -> None:
    layer = layer_of("points")
    reader = LayerReader(layer, "L1")
    layer.events.connect(lambda event: reader.note(event.type))
    assert reader.state().values["size"] == 7
    layer.selected_data = {0}
    layer.current_size = 20
    assert reader.state().values["size"] is None, "they differ now"


def test_a_look_that_fails_is_made_good_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = layer_of("image")
    reader = LayerReader(layer, "L1")
    with monkeypatch.context() as broken:
        broken.setattr(type(layer), "opacity", property(lambda _layer: 1 / 0))
        with pytest.raises(ZeroDivisionError):
            reader.state()
    reader.note("name")
    assert reader.state().values == layer_values(layer)
