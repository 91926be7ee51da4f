"""The repository as the meta tests see it: its files, as git would commit them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "napari_cuda"


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked, or untracked and not ignored, relative to the root."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return tuple(sorted(Path(name) for name in set(listing.split("\0")) if name and (ROOT / name).is_file()))


@cache
def text_of(path: Path) -> str | None:
    """The text of a file named relative to the root; None if it is not UTF-8 text."""
    content = (ROOT / path).read_bytes()
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def modules() -> list[Path]:
    """The Python modules of the package, relative to the root."""
    return [path for path in files() if path.suffix == ".py" and (ROOT / path).is_relative_to(PACKAGE)]
