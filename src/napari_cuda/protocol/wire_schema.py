"""What a property's values look like, as JSON: for clients that make their controls from the table."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

from napari_cuda.protocol.wire_types import WireType

_WORD_BEGINS = re.compile(r"(?<!^)(?=[A-Z])")


def schema_of(wire: WireType) -> dict[str, Any]:
    """Return `{"type": name, …}`: the wire type's class in snake case, and its fields; what is unbounded is null.

    A wire type that is new appears by itself, under the name of its class.
    """
    record: Any = wire  # a dataclass, as all of them are
    name = _WORD_BEGINS.sub("_", type(wire).__name__).lower()
    return {"type": name} | {
        field.name: _plain(getattr(record, field.name)) for field in dataclasses.fields(record) if field.name != "kind"
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return None
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return schema_of(value)  # type: ignore[arg-type] # only wire types are nested in wire types
    return value
