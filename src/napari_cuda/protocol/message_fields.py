"""What the fields of messages are made of."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

IntentNumber = Annotated[int, msgspec.Meta(gt=0, lt=1 << 53)]
"""Counts from 1 in each client. The pixel header carries it, and JavaScript can hold it."""

Pixel = Annotated[int, msgspec.Meta(ge=-100_000, le=100_000)]
Notches = Annotated[float, msgspec.Meta(ge=-1000, le=1000)]
Button = Annotated[int, msgspec.Meta(ge=0, le=3)]
Modifier = Literal["shift", "control", "alt", "meta"]

Place = Annotated[list[Pixel], msgspec.Meta(min_length=2, max_length=2)]
"""(x, y)"""
Buttons = Annotated[list[Button], msgspec.Meta(max_length=3)]
Modifiers = Annotated[list[Modifier], msgspec.Meta(max_length=4)]
