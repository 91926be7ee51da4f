"""Code blocks and commands that the documents show."""

from __future__ import annotations

import re
from dataclasses import dataclass

from meta.repository import ROOT

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A code block of a document."""

    document: str
    language: str
    """"" of what is typed into a shell."""
    text: str


def blocks(document: str, language: str | None = None) -> list[Block]:
    """Return the code blocks of a document, of one language or all."""
    text = (ROOT / document).read_text()
    found = [Block(document, *match.groups()) for match in BLOCK.finditer(text)]
    return [block for block in found if language in (None, block.language)]


def commands(document: str) -> list[str]:
    """Return the lines that the document's blocks have a shell run, and what of our own program stands in its text."""
    lines = [line for block in blocks(document, "") for line in block.text.splitlines() if line.strip()]
    text = BLOCK.sub("", (ROOT / document).read_text())
    return lines + [code for code in INLINE.findall(text) if code.startswith("napari-cuda ")]
