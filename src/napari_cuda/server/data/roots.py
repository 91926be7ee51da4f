"""ServedRoots: the folders that clients and options may name files in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from napari_cuda.protocol.errors import DataError


def is_url(path: str) -> bool:
    """Return True for an address, which no local root confines."""
    return "://" in path


def _lies_below(url: str, allowed: str) -> bool:
    """Return whether an address is `allowed`, or below it: same scheme and host, and no way back up."""
    if url == allowed:
        return True
    try:
        asked, given = urlsplit(url), urlsplit(allowed)
    except ValueError:
        return False
    plain = not (asked.query or asked.fragment or given.query or "::" in url or "\\" in unquote(asked.path))
    steps, root = unquote(asked.path).split("/"), unquote(given.path).rstrip("/").split("/")
    return (
        plain
        and (asked.scheme, asked.netloc) == (given.scheme, given.netloc)
        and steps[: len(root)] == root
        and not {".", ".."} & set(steps)
    )


class ServedRoots:
    """Confine local paths to some folders, after symlinks are resolved, and addresses to what is below some.

    No roots: no limit. No `urls`: no address, for the server may see hosts that its clients must not.
    `session` is the server's own folder, of what clients sent: files there may be named too.
    """

    def __init__(self, roots: Iterable[Path] = (), session: Path | None = None, urls: Iterable[str] = ()) -> None:
        self._urls = tuple(urls)
        self._roots = tuple(root.resolve() for root in roots)
        self._allowed = (*self._roots, session.resolve()) if session is not None else self._roots

    @property
    def places(self) -> list[Path]:
        """Where a client may begin to look: the roots, or if there are none, this process's folder and the home."""
        if self._roots:
            return list(self._roots)
        return list(dict.fromkeys([Path.cwd(), Path.home()]))

    def resolve(self, path: str) -> str:
        """Return the path as it may be opened; DataError in one line if it may not."""
        if is_url(path):
            if not any(_lies_below(path, url) for url in self._urls):
                raise DataError(
                    f"{path[:200]} is not served: whoever starts the server says what may be opened, "
                    "napari-cuda serve --allow-url https://HOST/FOLDER"
                )
            return path
        resolved, exists = _follow(path)
        self._confine(path, resolved, self._allowed)
        if not exists:
            raise DataError(f"{path} does not exist on the server")
        return str(resolved)

    def resolve_new(self, path: str) -> Path:
        """Return the path as it may be written; DataError in one line if it may not, or its folder is missing."""
        if is_url(path):
            raise DataError(f"{path} cannot be written: give a path on the server")
        if not Path(path).expanduser().is_absolute():
            raise DataError(f"{path!r} is not a whole path: begin it with one of the served folders")
        resolved, _ = _follow(path)
        # Its folder: a root itself is not replaced by what is saved. Nor goes anything among what clients sent.
        self._confine(path, resolved.parent, self._roots)
        if not resolved.name:
            raise DataError(f"{path} is no file: add a name")
        if not resolved.parent.is_dir():
            raise DataError(f"there is no folder {Path(path).parent} on the server")
        return resolved

    def holds(self, path: Path) -> bool:
        """Return whether a path, symlinks resolved, may be opened."""
        try:
            resolved, _ = _follow(str(path))
        except DataError:
            return False
        return not self._roots or any(resolved.is_relative_to(root) for root in self._allowed)

    def _confine(self, path: str, resolved: Path, allowed: tuple[Path, ...]) -> None:
        # Outside first: whoever may not look must not learn what exists.
        if self._roots and not any(resolved.is_relative_to(root) for root in allowed):
            roots = ", ".join(str(root) for root in self._roots)
            raise DataError(f"{path} is outside the served roots ({roots}): serve it with --root, or move it there")


def _follow(path: str) -> tuple[Path, bool]:
    try:
        resolved = Path(path).expanduser().resolve()
        return resolved, resolved.exists()
    except (OSError, RuntimeError, ValueError):  # a loop of links, an unknown user, a name that is too long
        raise DataError(f"{path[:200]!r} is not a path that this server can follow") from None
