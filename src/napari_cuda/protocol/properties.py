"""The property table: every mirrored property, once.

The server's setters, the client's mirrors and emitters and the reference in
`docs/protocol.md` come from this table: a new property is one row. Values travel in the
units napari uses.
"""

from __future__ import annotations

from collections.abc import Iterable

from napari_cuda.protocol.errors import PropertyError
from napari_cuda.protocol.layer_rows import LAYER_ROWS
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.viewer_rows import VIEWER_ROWS
from napari_cuda.protocol.wire_types import Wire

LAYER_KINDS = ("image", "labels", "points", "shapes", "surface", "tracks", "vectors")

TABLE: tuple[Property, ...] = LAYER_ROWS + VIEWER_ROWS

_BY_SCOPE: dict[str, dict[str, Property]] = {
    scope.value: {row.name: row for row in TABLE if row.scope is scope} for scope in Scope
}


def layer_properties(kind: str) -> dict[str, Property]:
    """Return the rows of one layer kind by name, in the order in which they must be set."""
    return _BY_SCOPE[Scope.LAYER] | _BY_SCOPE.get(f"{Scope.LAYER}:{kind}", {})


def scope_properties(scope: Scope) -> dict[str, Property]:
    """Return the rows of `scene`, `dims`, `camera` or `view` by name, in setting order."""
    return _BY_SCOPE[scope]


def check_values(rows: dict[str, Property], values: dict[str, Wire]) -> tuple[dict[str, Wire], dict[str, str]]:
    """Split proposed `values` into (accepted canonical values, reasons of refusal by name)."""
    accepted: dict[str, Wire] = {}
    refused: dict[str, str] = {}
    for name, value in values.items():
        row = rows.get(name)
        if row is None:
            refused[name] = f"there is no property {name!r} here"
        elif not row.writable:
            refused[name] = f"{row.scope}.{name} can only be changed by the server"
        else:
            try:
                accepted[name] = row.check(value)
            except PropertyError as error:
                refused[name] = str(error)
    # A dict of rows is in setting order: limits before what they limit.
    return {name: accepted[name] for name in rows if name in accepted}, refused


def reference_table(rows: Iterable[Property] = TABLE) -> str:
    """Return the Markdown table that `docs/protocol.md` contains between its markers."""
    lines = ["| scope | property | value | napari attribute | set by |", "|---|---|---|---|---|"]
    lines += [
        f"| `{row.scope}` | `{row.name}` | {row.wire.describe()} | `{row.attribute}` | "
        f"{'client and server' if row.writable else 'server'} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
