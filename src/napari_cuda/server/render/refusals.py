"""What napari raises on a wish that it does not grant, and how that is said in one line."""

from __future__ import annotations

# pydantic's error is a ValueError; layer actions raise the last two on layers of the wrong kind. Memory: an array
# that was asked for is too large; nothing of it is there.
REFUSALS = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError, NotImplementedError,
    AssertionError,
)  # fmt: skip

LONGEST_REASON = 200
"""Characters; napari answers an unknown colormap with a list of all it knows."""


def first_line(error: BaseException) -> str:
    """Return the line of an error that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # pydantic heads its message with a count; what is wrong stands below it.
    text = " ".join(lines[1:3]) if "validation error" in lines[0] else lines[-1]
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"
