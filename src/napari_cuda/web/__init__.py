"""The browser page: package data, and the one ES module that its parts make.

The parts are ES modules of their own, for readers, type checkers and `node`. What is served, and what a notebook
takes as text, is one module without imports: they are joined here, each below those that it imports.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

PARTS = (
    "packet", "gate", "digest", "still", "decoder", "backoff", "transport", "stream", "session", "control", "camera",
    "dom", "screen", "hands", "editors", "layers", "controls", "dims", "cursor", "files", "panels", "script",
    "stage", "frame", "app",
)  # fmt: skip
"""The parts of `viewer.js`, each after those that it imports."""

_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_CHECKED = re.compile(r"^// @ts-check\n", re.MULTILINE)


@cache
def viewer_module() -> str:
    """Return `viewer.js`: all parts as one ES module, with `mount` among its exports."""
    texts = [_text(f"parts/{part}.js") for part in PARTS]
    return "// @ts-check\n" + "\n".join(_CHECKED.sub("", _IMPORT.sub("", text)) for text in texts)


@cache
def widget_module() -> str:
    """Return what a notebook's widget is made of: `viewer.js`, and what mounts it in a cell, as one ES module."""
    return viewer_module() + "\n" + _CHECKED.sub("", _IMPORT.sub("", _text("widget.js")))


@cache
def asset(name: str) -> str:
    """Return the text of `index.html`, `refused.html`, `page.js` or `viewer.css`."""
    return _text(name)


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text("utf-8")
