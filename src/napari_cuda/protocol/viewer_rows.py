"""The property table's rows of everything but layers: scene, dims, camera, view."""

from __future__ import annotations

from napari_cuda.protocol.property import Property, Scope, rows
from napari_cuda.protocol.wire_types import ListOf, Number, Text

_POINT = ListOf(Number())
_XYZ = ListOf(Number(), 3)
_IDS = ListOf(Text(64))

VIEWER_ROWS: tuple[Property, ...] = (
    Property(Scope.DIMS, "ndim", Number(2, 64, integer=True), "ndim", (3, 4), writable=False),
    Property(Scope.DIMS, "range", ListOf(_XYZ), "range", ([[0, 9, 1]], [[0, 5, 1]]), writable=False),
    *rows(
        Scope.DIMS,
        ("order", ListOf(Number(0, 63, integer=True)), "order", ([1, 0, 2], [0, 2, 1])),
        ("axis_labels", ListOf(Text(64)), "axis_labels", (["z", "y", "x"], ["t", "y", "x"])),
        ("point", _POINT, "point", ([3.0, 0.0, 0.0], [5.0, 0.0, 0.0])),
    ),
    *rows(
        Scope.VIEW,
        ("size", ListOf(Number(16, 8192, integer=True), 2), "canvas.size", ([400, 500], [300, 420])),
        ("ndisplay", Number(2, 3, integer=True), "dims.ndisplay", (3, 2)),
    ),
    *rows(
        Scope.CAMERA,
        ("center", _XYZ, "center", ([0.0, 10.0, 12.0], [0.0, 20.0, 21.0])),
        ("zoom", Number(1e-9, 1e9), "zoom", (2.0, 5.0)),
        ("angles", _XYZ, "angles", ([10.0, 20.0, 30.0], [5.0, 15.0, 25.0])),
        ("perspective", Number(0, 179), "perspective", (30.0, 10.0)),
    ),
    *rows(
        Scope.SCENE,
        ("order", _IDS, "layers", (["L2", "L1"], ["L1", "L2"])),
        ("selection", _IDS, "layers.selection", (["L1"], ["L2"])),
        ("active", Text(64, optional=True), "layers.selection.active", ("L1", "L2")),
    ),
)  # fmt: skip
