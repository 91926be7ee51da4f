"""How a link is written: `40ms`, `20Mbit`, `pareto:10ms`, `delay=20ms,rate=5Mbit`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from napari_cuda.netsim.link import Jitter, JitterKind, Link, Stall
from napari_cuda.protocol.errors import ConfigError

_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
_RATES = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
_SIZES = {"b": 1.0, "kb": 1e3, "mb": 1e6}


def time_s(text: str) -> float:
    """Return the seconds of `40ms`, `0.5s`, `2min`; ConfigError in one line otherwise."""
    return _quantity(text, _TIMES, "a time such as 40ms or 1.5s")


def period_s(text: str) -> float:
    """Return the seconds of a time that is not 0."""
    return _more_than_nothing(time_s(text), text)


def rate_bit_s(text: str) -> float:
    """Return the bits per second of `20Mbit`, `500kbit/s`."""
    return _more_than_nothing(_quantity(text.removesuffix("/s"), _RATES, "a rate such as 20Mbit or 500kbit"), text)


def size_bytes(text: str) -> int:
    """Return the bytes of `256kB`."""
    return int(_more_than_nothing(_quantity(text, _SIZES, "a size such as 256kB"), text))


def jitter(text: str) -> Jitter:
    """Return the jitter of `10ms` (normal) or `pareto:10ms`."""
    kind, colon, amount = text.rpartition(":")
    try:
        return Jitter(JitterKind(kind if colon else "normal"), time_s(amount))
    except ValueError:
        known = ", ".join(kind.value for kind in JitterKind)
        raise ConfigError(f"{kind!r} is no kind of jitter: use one of {known}, such as pareto:10ms") from None


def stall(text: str) -> Stall:
    """Return the stall of `10s:300ms`: every 10 s on average, for 300 ms."""
    every, colon, length = text.partition(":")
    if not colon:
        raise ConfigError(f"{text!r} is not a stall such as 10s:300ms: how often on average, and for how long")
    return Stall(period_s(every), time_s(length))


_PARTS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "delay": ("delay_s", time_s),
    "jitter": ("jitter", jitter),
    "rate": ("rate_bit_s", rate_bit_s),
    "buffer": ("buffer_bytes", size_bytes),
    "stall": ("stall", stall),
}


def link(text: str, base: Link | None = None) -> Link:
    """Return `base` changed as `delay=20ms,rate=5Mbit,…` says; ConfigError in one line otherwise."""
    values = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name.strip() not in _PARTS:
            raise ConfigError(f"{part!r} is no part of a link: write {', '.join(f'{known}=…' for known in _PARTS)}")
        field, parse = _PARTS[name.strip()]
        values[field] = parse(value)
    return replace(base or Link(), **values)


def both_ways(*, rtt: str, rate: str, jitter: str, stall: str) -> Link:
    """Return the link that each way has half the round trip `rtt` of; an empty text says nothing."""
    parts = {"rate": rate, "jitter": jitter, "stall": stall}
    return link(",".join(f"{name}={text}" for name, text in parts.items() if text), Link(delay_s=time_s(rtt) / 2))


def _quantity(text: str, units: Mapping[str, float], wanted: str) -> float:
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)\s*", text.lower())
    if found is None or found[2] not in units:
        raise ConfigError(f"{text!r} is not {wanted} (units: {', '.join(units)})")
    return float(found[1]) * units[found[2]]


def _more_than_nothing(value: float, text: str) -> float:
    if value <= 0:
        raise ConfigError(f"{text!r} must be more than 0")
    return value
