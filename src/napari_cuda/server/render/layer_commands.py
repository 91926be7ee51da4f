"""LayerCommands: what clients ask for on layers and on the layer list. Owner: render thread."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from napari import layers as napari_layers
from napari.layers import Image, Layer, Points, Shapes, Surface

from napari_cuda import conversion
from napari_cuda.element_values import set_element_values, set_features
from napari_cuda.layer_state import FARTHEST, LARGE_BYTES, check_drawable, check_placement, size_bytes
from napari_cuda.protocol import commands as c
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import CommandError
from napari_cuda.protocol.properties import LAYER_KINDS, check_values, layer_properties
from napari_cuda.server.data.jobs import Finish, Job
from napari_cuda.server.data.roots import ServedRoots
from napari_cuda.server.render.commands import CommandContext, Commands
from napari_cuda.server.render.napari_model import add_new_labels, menu_actions
from napari_cuda.server.render.refusals import REFUSALS, first_line
from napari_cuda.server.render.rehearsal import Rehearsal
from napari_cuda.server.render.scene_bridge import SceneBridge
from napari_cuda.stored_arrays import read_arrays

CLIENTS_ID = re.compile("new-[0-9a-f]{16}")
"""The id that a client gives a layer; the server's own are L1, L2 …"""

_MENU = "napari.layer."

READS_DATA = {
    _MENU + "duplicate": "Duplicating",
    _MENU + "split_stack": "Splitting",
    _MENU + "split_rgb": "Splitting",
    _MENU + "merge_stack": "Merging",
    _MENU + "merge_rgb": "Merging",
    _MENU + "convert_to_labels": "Converting",
    _MENU + "convert_to_image": "Converting",
    **dict.fromkeys((f"{_MENU}project_{how}" for how in ("max", "min", "std", "sum", "mean", "median")), "Projecting"),
}
"""Entries of the layer menu that make layers of others, and what each of them does to those."""

MOST_AXES = 16
"""napari makes arrays of 2 to the power of them."""

_COORDINATES = {"points": 2, "vectors": 3, "tracks": 2, "shapes": 2, "surface": 2}
"""Axes of the arrays that coordinates come in; napari lets others through, and cannot draw them."""


class LayerCommands:
    """Owner: render thread."""

    def __init__(
        self,
        commands: Commands,
        scene: SceneBridge,
        roots: ServedRoots,
        release: Callable[[str], None] = lambda path: None,
    ) -> None:
        """Register what this carries out; `release` is told which files that were sent are needed no more."""
        self._scene = scene
        self._roots = roots
        self._release = release
        self._menu = menu_actions()
        commands.register("layer.remove", self._remove)
        commands.register("layer.refresh", self._refresh)
        commands.register("layer.select", self._select)
        commands.register("layer.create", self._create)
        commands.register("layer.reset_contrast_limits", self._reset_contrast_limits)
        commands.register("layer.reset_contrast_limits_range", self._reset_contrast_limits_range)
        commands.register("layers.new_labels", self._new_labels)
        commands.register("layers.link", self._link)
        commands.register("layers.unlink", self._unlink)
        commands.register("layers.menu_action", self._menu_action)

    def _remove(self, context: CommandContext, args: c.RemoveLayer) -> None:
        context.model.layers.remove(context.layer(args.layer))

    def _refresh(self, context: CommandContext, args: c.RefreshLayer) -> None:
        layer: Any = context.layer(args.layer)
        if args.what == "data":
            layer.refresh()
        elif not hasattr(layer, f"refresh_{args.what}"):
            raise CommandError(f"layer {layer.name!r} has no {args.what} of features")
        elif args.what == "colors":
            layer.refresh_colors(args.remap)
        else:
            layer.refresh_text()
        self._scene.note_edit(layer)

    def _select(self, context: CommandContext, args: c.SelectElements) -> None:
        layer = context.layer(args.layer)
        if not isinstance(layer, (Points, Shapes)):
            raise CommandError(f"nothing of layer {layer.name!r} can be selected")
        count = len(layer.data)
        if any(number >= count for number in args.elements):
            raise CommandError(f"layer {layer.name!r} has {count} elements: there is no number {max(args.elements)}")
        layer.selected_data = set(args.elements)
        self._scene.note_edit(layer)

    def _reset_contrast_limits(self, context: CommandContext, args: c.ResetContrastLimits) -> None:
        layer = _with_limits(context.layer(args.layer))
        if not layer.loaded:
            layer.set_view_slice()  # here and now: the limits are those of the slice
        layer.reset_contrast_limits()

    def _reset_contrast_limits_range(self, context: CommandContext, args: c.ResetContrastLimitsRange) -> None:
        layer = _with_limits(context.layer(args.layer))
        if args.to_limits:
            layer.contrast_limits_range = layer.contrast_limits
        else:
            layer.reset_contrast_limits_range()

    def _new_labels(self, context: CommandContext, args: c.NewLabels) -> None:
        try:
            add_new_labels(context.model)
        except MemoryError as error:
            raise CommandError(
                "new labels are as large as all that is selected, too large for the server's memory: select a smaller "
                f"layer alone ({first_line(error)})"
            ) from error

    def _create(self, context: CommandContext, args: c.CreateLayer) -> None:
        spec = args.state.spec
        if not CLIENTS_ID.fullmatch(spec.layer):
            raise CommandError(f"{spec.layer[:64]!r} is not an id that a client may give a layer")
        if spec.kind not in LAYER_KINDS:
            raise CommandError(f"there are no layers of kind {spec.kind[:64]!r}")

        def insert(layer: Layer) -> dict[str, Any]:
            self._scene.reserve(layer, spec.layer)
            context.model.layers.insert(min(args.index, len(context.model.layers)), layer)
            return {"layers": [spec.layer]}

        if not args.uploaded:
            insert(_make(args, [_array(array) for array in args.arrays]))
            return

        def work(job: Job) -> Finish:
            path = self._roots.resolve(args.uploaded)
            try:
                job.check()
                layer = _make(args, read_arrays(path, len(args.elements)))
            except REFUSALS as error:
                raise CommandError(f"napari refuses it: {first_line(error)}") from error
            finally:
                self._release(path)
            return lambda: insert(layer)

        name = str(args.state.values.get("name", spec.kind))[:200]
        if not context.jobs.start(context.sender, context.number, f"Adding {name}", work):
            self._release(args.uploaded)

    def _link(self, context: CommandContext, args: c.LinkLayers) -> None:
        context.model.layers.link_layers([context.layer(layer) for layer in args.layers], args.attributes)

    def _unlink(self, context: CommandContext, args: c.UnlinkLayers) -> None:
        context.model.layers.unlink_layers([context.layer(layer) for layer in args.layers], args.attributes)

    def _menu_action(self, context: CommandContext, args: c.MenuAction) -> None:
        action = self._menu.get(args.action)
        if action is None:
            raise CommandError(f"the layer menu has no entry {args.action!r}")
        layers = context.model.layers
        chosen = {context.layer(layer) for layer in args.selection}
        active = context.layer(args.active) if args.active is not None else None
        # As the user saw them: another client may have selected others since.
        if set(layers.selection) != chosen:
            layers.selection = chosen
        if layers.selection.active is not active:
            layers.selection.active = active
        large = sum(size_bytes(layer) for layer in chosen) > LARGE_BYTES
        if large and args.action in READS_DATA and not any(isinstance(layer, Shapes) for layer in chosen):
            self._make_in_a_job(context, action, f"{READS_DATA[args.action]} {_names(chosen)}")
        else:
            action(layers)

    def _make_in_a_job(self, context: CommandContext, action: Callable[[Any], object], title: str) -> None:
        """Make layers of others as a job: it reads all of the data."""
        layers = context.model.layers
        rehearsal = Rehearsal(layers)

        def work(_job: Job) -> Finish:
            try:
                action(rehearsal)
            except REFUSALS as error:
                raise CommandError(f"napari refuses it: {first_line(error)}") from error
            return lambda: {"layers": [self._scene.layer_id(made) for made in rehearsal.carry_over(layers)]}

        context.jobs.start(context.sender, context.number, title, work)


def _names(layers: set[Layer]) -> str:
    first = min(layer.name for layer in layers)
    return f"{first} and {len(layers) - 1} more" if len(layers) > 1 else first


def _with_limits(layer: Layer) -> Image | Surface:
    if not isinstance(layer, (Image, Surface)):
        raise CommandError(f"layer {layer.name!r} has no contrast limits")
    return layer


def _make(args: c.CreateLayer, arrays: list[npt.NDArray[Any]]) -> Layer:
    """Return the layer that a client made, of these arrays."""
    rows = layer_properties(args.state.spec.kind)
    accepted, _ = check_values(rows, args.state.values)
    first = max(0, len(arrays) - len(args.elements))
    elements = dict(zip(args.elements, arrays[first:], strict=False))
    if len(elements) != len(args.elements) or any(array.dtype.kind == "U" for array in arrays[:first]):
        raise CommandError("a new layer needs arrays of numbers, and one for each of what its elements have")
    layer = _build(args, arrays[:first], accepted.get("name"))
    set_features(layer, elements)
    for name, value in accepted.items():
        try:
            check_placement(layer, name, value)
            conversion.write(layer, rows[name], value)
        except REFUSALS:
            continue  # napari's own default, then: the client is told what it is
    set_element_values(layer, elements)
    check_drawable(layer)
    return layer


def _build(args: c.CreateLayer, arrays: list[npt.NDArray[Any]], name: str | None) -> Layer:
    spec = args.state.spec
    check_data(spec, arrays)
    options: dict[str, Any] = {"name": name}
    if spec.kind == "image":
        options["rgb"] = spec.rgb
    data: Any = arrays[0] if arrays else None
    if spec.level_shapes:
        data = arrays
        options["multiscale"] = True
    if spec.kind == "shapes":
        data = arrays or None
        options["shape_type"] = args.shape_types or "rectangle"
    if spec.kind == "surface":
        data = tuple(arrays)
    if spec.kind in ("points", "shapes", "vectors"):
        options["ndim"] = spec.ndim
    cls: type[Layer] = getattr(napari_layers, spec.kind.capitalize())
    return cls(data, **options)


def check_data(spec: m.LayerSpec, arrays: list[npt.NDArray[Any]]) -> None:
    """Raise CommandError for what napari takes and then fails on, in every picture from then on."""
    if spec.kind in _COORDINATES:
        if spec.kind == "surface":
            _check_mesh(arrays)
        coordinates = arrays[:1] if spec.kind == "surface" else arrays
        if any(array.ndim != _COORDINATES[spec.kind] for array in coordinates):
            raise CommandError(f"the coordinates of a new {spec.kind} layer are in {_COORDINATES[spec.kind]} axes")
        # NaN is not within either.
        if not all((np.abs(array.astype(float)) <= FARTHEST).all() for array in coordinates):
            raise CommandError(f"the coordinates of a new {spec.kind} layer must be finite, and within {FARTHEST:g}")
        dimensions = max([spec.ndim, *(array.shape[-1] for array in coordinates)])
    else:
        levels = max(1, len(spec.level_shapes))
        if len(arrays) != levels or not all(array.size for array in arrays):
            raise CommandError(
                f"a new {spec.kind} layer needs its pixels: {levels} array(s), each one that is not empty"
            )
        dimensions = arrays[0].ndim
        if any(array.ndim != dimensions for array in arrays):
            raise CommandError(f"the levels of a new {spec.kind} layer have the same dimensions")
    if spec.ndim < 1 or dimensions > MOST_AXES:
        raise CommandError(f"a new layer may have 1 to {MOST_AXES} dimensions")


def _check_mesh(arrays: list[npt.NDArray[Any]]) -> None:
    """Raise CommandError unless these are vertices, faces, and maybe values, of one mesh."""
    if len(arrays) not in (2, 3) or any(array.ndim != 2 for array in arrays[:2]) or arrays[1].shape[1] != 3:
        raise CommandError("a new surface layer needs vertices, faces of three, and values if there are any")
    vertices = len(arrays[0])
    if any(values.ndim == 0 or values.shape[-1] != vertices for values in arrays[2:]):
        raise CommandError(f"a new surface layer needs one value for each of its {vertices} vertices")


def _array(array: c.ArrayData) -> npt.NDArray[Any]:
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "biufU" or math.prod(array.shape) * dtype.itemsize != len(array.data):
        raise CommandError(f"{len(array.data)} bytes are not an array of {array.dtype} {array.shape}")
    # A copy: what is received cannot be written to, and labels are painted.
    return np.frombuffer(array.data, dtype).reshape(array.shape).copy()
