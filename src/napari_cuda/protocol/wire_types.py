"""Wire types: what the value of a property looks like in JSON, and how it is checked."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from napari_cuda.protocol.errors import PropertyError

Wire = Any
"""A JSON value: None, bool, int, float, str, list or dict of these."""


class WireType(Protocol):
    """Checks one JSON value. `kind` names the conversion to and from napari's object."""

    @property
    def kind(self) -> str:
        """Name of the conversion, as in `napari_cuda.conversion`."""

    def check(self, value: Wire) -> Wire:
        """Return the value in canonical form; raise PropertyError saying what was expected."""

    def describe(self) -> str:
        """One phrase for the reference documentation."""


@dataclass(frozen=True, slots=True)
class Bool:
    """true or false."""

    kind: str = "plain"

    def check(self, value: Wire) -> bool:
        """Return the value if it is a JSON boolean."""
        if not isinstance(value, bool):
            raise PropertyError(f"expected true or false, got {_shown(value)}")
        return value

    def describe(self) -> str:
        """Return the phrase for the docs."""
        return "boolean"


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number in [low, high]; an integer if `integer`."""

    low: float = -math.inf
    high: float = math.inf
    integer: bool = False
    kind: str = "plain"

    def check(self, value: Wire) -> float:
        """Return the number if it is finite and in range."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _finite(value):
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        if self.integer and int(value) != value:
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        if not self.low <= value <= self.high:
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        return int(value) if self.integer else float(value)

    def describe(self) -> str:
        """Return the phrase for the docs."""
        noun = "integer" if self.integer else "number"
        if math.isinf(self.low) and math.isinf(self.high):
            return noun
        if math.isinf(self.high):
            return f"{noun} ≥ {self.low:g}"
        return f"{noun} in [{self.low:g}, {self.high:g}]"


@dataclass(frozen=True, slots=True)
class Text:
    """A string of at most `longest` characters; null too if `optional`."""

    longest: int = 1024
    optional: bool = False
    kind: str = "plain"

    def check(self, value: Wire) -> str | None:
        """Return the string if it is short enough."""
        if value is None and self.optional:
            return None
        if not isinstance(value, str) or len(value) > self.longest:
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        return value

    def describe(self) -> str:
        """Return the phrase for the docs."""
        return f"string (≤ {self.longest})" + (" or null" if self.optional else "")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a fixed set of strings (napari's enum values)."""

    options: tuple[str, ...]
    kind: str = "enum"

    def check(self, value: Wire) -> str:
        """Return the string if it is an option."""
        if value not in self.options:
            raise PropertyError(f"expected one of {', '.join(self.options)}; got {_shown(value)}")
        return str(value)

    def describe(self) -> str:
        """Return the phrase for the docs."""
        return " \\| ".join(f"`{option}`" for option in self.options)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of `count` items (any number up to `most` if None), each of `item`."""

    item: WireType
    count: int | None = None
    most: int = 4096
    increasing: bool = False
    kind: str = "sequence"

    def check(self, value: Wire) -> list[Wire]:
        """Return the list with every item checked."""
        if not isinstance(value, (list, tuple)) or not self._fits(value):
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        items = [self.item.check(entry) for entry in value]
        if self.increasing and any(b <= a for a, b in pairwise(items)):
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        return items

    def _fits(self, value: Sequence[Wire]) -> bool:
        return len(value) == self.count if self.count is not None else len(value) <= self.most

    def describe(self) -> str:
        """Return the phrase for the docs."""
        order = "increasing " if self.increasing else ""
        many = f"{self.count} × " if self.count is not None else ""
        return f"{order}list of {many}{self.item.describe()}"


@dataclass(frozen=True, slots=True)
class ColormapValue:
    """A colormap: the name of one napari ships, or its control points.

    `{"name": str, "colors": [[r, g, b, a] …], "controls": [float …], "interpolation":
    "linear" | "zero"}` with components in [0, 1].
    """

    kind: str = "colormap"

    def check(self, value: Wire) -> Wire:
        """Return the name or the mapping if it is well formed."""
        if isinstance(value, str) and 0 < len(value) <= 256:
            return value
        if not isinstance(value, dict) or set(value) != {"name", "colors", "controls", "interpolation"}:
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        component = Number(0.0, 1.0)
        return {
            "name": Text(256).check(value["name"]),
            "colors": ListOf(ListOf(component, 4), most=4096).check(value["colors"]),
            "controls": ListOf(component, most=4097).check(value["controls"]),
            "interpolation": Choice(("linear", "zero")).check(value["interpolation"]),
        }

    def describe(self) -> str:
        """Return the phrase for the docs."""
        return "colormap name, or an object with `name`, `colors`, `controls`, `interpolation`"


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # JSON knows integers that no float can hold
        return False


def _shown(value: Wire) -> str:
    # Bounded in depth too: repr() of a deeply nested list is an error of its own.
    text = reprlib.repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
