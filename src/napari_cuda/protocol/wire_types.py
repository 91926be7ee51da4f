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
    """A finite number in [low, high]; an integer if `integer`; not 0 if `nonzero`."""

    low: float = -math.inf
    high: float = math.inf
    integer: bool = False
    nonzero: bool = False
    kind: str = "plain"

    def check(self, value: Wire) -> float:
        """Return the number if it is finite and in range."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _finite(value):
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        if self.integer and int(value) != value:
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        if not self.low <= value <= self.high or (self.nonzero and value == 0):
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        return int(value) if self.integer else float(value)

    def describe(self) -> str:
        """Return the phrase for the docs."""
        noun = ("integer" if self.integer else "number") + (" other than 0" if self.nonzero else "")
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
class OrNull:
    """null, or what `item` takes."""

    item: WireType
    kind: str = "or_null"

    def check(self, value: Wire) -> Wire:
        """Return null or the checked item."""
        return None if value is None else self.item.check(value)

    def describe(self) -> str:
        """Return the phrase for the docs."""
        return f"{self.item.describe()} or null"


@dataclass(frozen=True, slots=True)
class Color:
    """[red, green, blue, alpha], each in [0, 1], to six decimals (napari keeps them as 32-bit floats)."""

    kind: str = "color"

    def check(self, value: Wire) -> list[float]:
        """Return the four components, rounded."""
        if not isinstance(value, (list, tuple)) or len(value) != 4:
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        component = Number(0.0, 1.0)
        return [round(component.check(entry), 6) for entry in value]

    def describe(self) -> str:
        """Return the phrase for the docs."""
        return "color as 4 × number in [0, 1]"


@dataclass(frozen=True, slots=True)
class PerElement:
    """One value that all elements of a layer have. Server to client it is null where they differ, or there are none.

    With `column` the name of a feature is taken too: napari then makes a value for each element of it.
    """

    item: WireType
    column: bool = False
    kind: str = "per_element"

    def check(self, value: Wire) -> Wire:
        """Return the value for all elements; null cannot be set."""
        if self.column and isinstance(value, str):
            return Text(256).check(value)
        if value is None:
            raise PropertyError("expected one value for all elements, got null")
        return self.item.check(value)

    def describe(self) -> str:
        """Return the phrase for the docs."""
        column = ", or a feature's name" if self.column else ""
        return f"{self.item.describe()} for all elements{column} (null from the server: they differ)"


@dataclass(frozen=True, slots=True)
class Record:
    """An object with exactly the given fields."""

    fields: tuple[tuple[str, WireType], ...]
    kind: str = "record"

    def check(self, value: Wire) -> dict[str, Wire]:
        """Return the object with every field checked."""
        if not isinstance(value, dict) or set(value) != {name for name, _ in self.fields}:
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        return {name: wire.check(value[name]) for name, wire in self.fields}

    def describe(self) -> str:
        """Return the phrase for the docs."""
        return "object with " + ", ".join(f"`{name}` ({wire.describe()})" for name, wire in self.fields)


@dataclass(frozen=True, slots=True)
class FeatureValues:
    """One value (null, boolean, number or string) for each of some features."""

    kind: str = "feature_values"

    def check(self, value: Wire) -> dict[str, Wire]:
        """Return the object if its values are plain."""
        plain = (type(None), bool, int, float, str)
        if not isinstance(value, dict) or not all(isinstance(entry, plain) for entry in value.values()):
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        if any(isinstance(entry, float) and not math.isfinite(entry) for entry in value.values()):
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        return {str(Text(256).check(name)): entry for name, entry in value.items()}

    def describe(self) -> str:
        """Return the phrase for the docs."""
        return "object: feature → null, boolean, number or string"


_COLORMAP = Record(
    (
        ("name", Text(256)),
        ("colors", ListOf(Color())),
        ("controls", ListOf(Number(0.0, 1.0), most=4097)),
        ("interpolation", Choice(("linear", "zero"))),
    )
)


@dataclass(frozen=True, slots=True)
class ColormapValue:
    """A colormap: its name if napari knows it by name, else its definition."""

    kind: str = "colormap"

    def check(self, value: Wire) -> Wire:
        """Return the name or the mapping if it is well formed."""
        if isinstance(value, str) and 0 < len(value) <= 256:
            return value
        try:
            return _COLORMAP.check(value)
        except PropertyError as error:
            if isinstance(value, dict) and set(value) == {name for name, _ in _COLORMAP.fields}:
                raise
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}") from error

    def describe(self) -> str:
        """Return the phrase for the docs."""
        return "colormap name, or an object with `name`, `colors`, `controls`, `interpolation`"


@dataclass(frozen=True, slots=True)
class LabelColormapValue:
    """The colours of labels: a cycle of `colors`, or `direct`, one for each label and `default` for all others."""

    kind: str = "label_colormap"

    def check(self, value: Wire) -> Wire:
        """Return the mapping if it is one of the two, well formed."""
        if not isinstance(value, dict) or set(value) not in ({"colors", "background"}, {"direct", "background"}):
            raise PropertyError(f"expected {self.describe()}, got {_shown(value)}")
        background = Number(integer=True).check(value["background"])
        if "colors" in value:
            colors = ListOf(Color()).check(value["colors"])
            if len(colors) < 2:
                raise PropertyError(f"expected {self.describe()}, got {len(colors)} colors")
            return {"colors": colors, "background": background}
        direct = value["direct"]
        if not isinstance(direct, dict) or not all(_is_label(label) for label in direct) or "default" not in direct:
            raise PropertyError(f"expected {self.describe()}, got {_shown(direct)}")
        return {"direct": {label: Color().check(color) for label, color in direct.items()}, "background": background}

    def describe(self) -> str:
        """Return the phrase for the docs."""
        return "object with `background` and `colors` (the cycle) or `direct` (label → color, and `default`)"


def _is_label(text: Wire) -> bool:
    return isinstance(text, str) and (text == "default" or text.removeprefix("-").isdecimal())


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # JSON knows integers that no float can hold
        return False


def _shown(value: Wire) -> str:
    # Bounded in depth too: repr() of a deeply nested list is an error of its own.
    text = reprlib.repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
