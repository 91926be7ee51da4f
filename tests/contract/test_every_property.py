"""Completeness: whatever napari lets be set, or tells of, is in the property table or is left out for a reason."""

from __future__ import annotations

from typing import Any

import napari.utils.events
import psygnal
import pytest

from layers_of_each_kind import layer_of
from napari_cuda.protocol.properties import LAYER_KINDS, layer_properties
from napari_cuda.protocol.property import Scope
from napari_cuda.protocol.unmirrored import UNMIRRORED, reasons

MODELS = (psygnal.EventedModel, napari.utils.events.EventedModel)


def settable(thing: object) -> set[str]:
    """Public names of an object that have a setter."""
    cls = type(thing)
    found = {name: getattr(cls, name, None) for name in dir(cls) if not name.startswith("_")}
    return {name for name, member in found.items() if isinstance(member, property) and member.fset is not None}


def fields(model: Any, path: str, rows: set[str]) -> set[str]:
    """Dotted names of all that can be set in an evented model, and in the models that it holds and no row does."""
    found: set[str] = set()
    for name, field in type(model).model_fields.items():
        value, dotted = getattr(model, name), f"{path}.{name}"
        if isinstance(value, MODELS) and dotted not in rows:
            found |= fields(value, dotted, rows)
        elif not field.frozen:
            found.add(dotted)
    return found


def parts(layer: Any) -> dict[str, Any]:
    """The evented models that hang on a layer, by attribute, and its overlays."""
    names = [name for name in dir(type(layer)) if not name.startswith("_") and name != "histogram"]
    properties = [name for name in names if isinstance(getattr(type(layer), name), property)]
    public = {name: value for name in properties if isinstance(value := getattr(layer, name), MODELS)}
    hidden = {
        name: overlay
        for name, overlay in layer._overlays.items()
        if not any(overlay is value for value in public.values())
    }
    # Colormaps are values: they are replaced, not changed.
    return {name: model for name, model in (public | hidden).items() if "colormap" not in name}


def surface_of(layer: Any, rows: set[str]) -> set[str]:
    """All that can be set on a layer, or that it tells of."""
    names = settable(layer) | {name for name in layer.events.emitters if not name.startswith("_")}
    nested = parts(layer)
    dotted = set().union(*(fields(model, name, rows) for name, model in nested.items()))
    return (names - set(nested)) | dotted


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_every_property_of_a_layer_is_mirrored_or_left_out_for_a_reason(kind: str) -> None:
    rows = {row.attribute for row in layer_properties(kind).values()}
    left_out = reasons(Scope.LAYER) | reasons(Scope(f"layer:{kind}"))
    surface = surface_of(layer_of(kind), rows)
    unknown = {name for name in surface - rows if name not in left_out and name.partition(".")[0] not in left_out}
    assert not unknown, f"neither in the property table nor in protocol/unmirrored.py: {sorted(unknown)}"


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_nothing_is_left_out_that_is_mirrored_or_is_not_there(kind: str) -> None:
    rows = {row.attribute for row in layer_properties(kind).values()}
    surface = surface_of(layer_of(kind), rows)
    there = surface | {name.partition(".")[0] for name in surface}
    for scope in (Scope.LAYER, Scope(f"layer:{kind}")):
        names = set(reasons(scope))
        assert names <= there, f"napari has no {sorted(names - there)} (any more)"
        assert not names & rows


def test_each_name_has_one_reason() -> None:
    for scope, by_reason in UNMIRRORED.items():
        assert sum(len(names) for names in by_reason.values()) == len(reasons(scope))
