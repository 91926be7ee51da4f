"""Completeness, of everything but layers: dims, camera, canvas, overlays, and the viewer itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from contract.test_every_property import MODELS, settable
from napari_cuda.protocol.properties import scope_properties
from napari_cuda.protocol.property import Scope
from napari_cuda.protocol.unmirrored import reasons


def own_surface(model: Any) -> set[str]:
    """All that can be set on one evented model itself, or that it tells of."""
    plain = {
        name
        for name, field in type(model).model_fields.items()
        if not field.frozen and not isinstance(getattr(model, name), MODELS)
    }
    emitters = getattr(model.events, "emitters", {})
    told = {name for name in emitters if not name.startswith("_") and name not in type(model).model_fields}
    return plain | settable(model) | {name for name in told if _has_value(model, name)}


def _has_value(model: Any, name: str) -> bool:
    """Return whether an event tells of something that can be set, or that is not there to be read."""
    member = getattr(type(model), name, None)
    return not isinstance(member, property) or member.fset is not None


def whole_surface(model: Any, path: str = "") -> set[str]:
    """The same of a model and of all that it holds, as dotted names."""
    found = {path + name for name in own_surface(model)}
    for name in type(model).model_fields:
        value = getattr(model, name)
        for part, held in [(name, value)] if isinstance(value, MODELS) else named_parts(name, value):
            found |= whole_surface(held, f"{path}{part}.")
    return found


def named_parts(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return the models in a namespace of napari's, each with its dotted name."""
    if not hasattr(value, "items") or isinstance(value, np.ndarray):
        return []
    return [(f"{name}.{key}", held) for key, held in value.items() if isinstance(held, MODELS)]


def surface_of(scope: Scope) -> set[str]:
    viewer = ViewerModel()
    if scope is Scope.DIMS:
        return own_surface(viewer.dims)
    if scope is Scope.CAMERA:
        return own_surface(viewer.scene.camera)
    return {name for name in whole_surface(viewer) if not name.startswith(("dims.", "scene.camera."))}


def covering(name: str, names: set[str]) -> set[str]:
    """Return those of `names` that are `name`, or a model that it is in."""
    return {other for other in names if name == other or name.startswith(other + ".")}


SCOPES = (Scope.DIMS, Scope.CAMERA, Scope.VIEW)


@pytest.mark.parametrize("scope", SCOPES)
def test_every_property_is_mirrored_or_left_out_for_a_reason(scope: Scope) -> None:
    rows = {row.attribute for row in scope_properties(scope).values()}
    unknown = {name for name in surface_of(scope) - rows if not covering(name, set(reasons(scope)))}
    assert not unknown, f"neither in the property table nor in protocol/unmirrored.py: {sorted(unknown)}"


@pytest.mark.parametrize("scope", SCOPES)
def test_nothing_is_left_out_that_is_mirrored_or_is_not_there(scope: Scope) -> None:
    rows = {row.attribute for row in scope_properties(scope).values()}
    surface = surface_of(scope)
    used = set().union(*(covering(name, set(reasons(scope))) for name in surface))
    assert set(reasons(scope)) == used, "napari has these no more, or they are inside another"
    assert not rows & used


def test_the_scan_finds_what_is_nested() -> None:
    surface = surface_of(Scope.VIEW)
    assert {"canvas.overlays.scale_bar.length", "scene.overlays.axes.dashed", "canvas.grid.shape", "title"} <= surface
    assert len(surface) > 80
