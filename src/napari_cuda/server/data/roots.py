"""ServedRoots: the folders that clients and options may name files in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari_cuda.protocol.errors import DataError


def is_url(path: str) -> bool:
    """Return True for a remote store, which no local root confines."""
    return "://" in path


class ServedRoots:
    """Confine local paths to some folders, after symlinks are resolved. No roots: no limit."""

    def __init__(self, roots: Iterable[Path] = ()) -> None:
        self._roots = tuple(root.resolve() for root in roots)

    def resolve(self, path: str) -> str:
        """Return the path as it may be opened; DataError in one line if it may not."""
        if is_url(path):
            if self._roots:
                raise DataError(f"{path} is outside the served roots: remote stores are not served with --root")
            return path
        try:
            resolved = Path(path).expanduser().resolve()
            exists = resolved.exists()
        except (OSError, RuntimeError, ValueError):  # a loop of links, an unknown user, a name that is too long
            raise DataError(f"{path[:200]!r} is not a path that this server can follow") from None
        # Outside first: whoever may not look must not learn what exists.
        if self._roots and not any(resolved.is_relative_to(root) for root in self._roots):
            roots = ", ".join(str(root) for root in self._roots)
            raise DataError(f"{path} is outside the served roots ({roots}): serve it with --root, or move it there")
        if not exists:
            raise DataError(f"{path} does not exist on the server")
        return str(resolved)
