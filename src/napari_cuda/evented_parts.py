"""Evented models and lists that hang on an object of napari: what is set in them raises no event of the object."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

from napari_cuda.protocol.property import Property


def watch_parts(root: object, rows: Iterable[Property], on_change: Callable[[Property], object]) -> None:
    """Have `on_change` called with the row that may have changed, of those rows that are kept in a part of `root`.

    napari's models are evented by two libraries (its own, and psygnal): both name the field that changed.
    A list has no fields, it is a row itself.
    """
    by_part: dict[str, dict[str, Property]] = {}
    for row in rows:
        part, _, field = row.attribute.rpartition(".")
        if row.wire.kind == "records":
            by_part[row.attribute] = {"": row}
        elif part:
            by_part.setdefault(part, {})[field] = row
    for part, fields in by_part.items():
        _watch(reduce(getattr, part.split("."), root), fields, on_change)


def _watch(part: Any, fields: dict[str, Property], on_change: Callable[[Property], object]) -> None:
    def changed(event: Any = None) -> None:
        name = event.signal.name if hasattr(event, "signal") else getattr(event, "type", "")
        if not isinstance(name, str):  # a model of napari's that was updated as a whole says so only
            changed_rows = list(fields.values())
        else:
            changed_rows = [row for row in (fields.get("") or fields.get(name),) if row is not None]
        for row in changed_rows:
            on_change(row)

    part.events.connect(changed)
