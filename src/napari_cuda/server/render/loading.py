"""LoadingNotice: tells the viewers when the picture waits for data. Pure; `now_s` is passed in."""

from __future__ import annotations

from napari_cuda.protocol.messages import JobUpdate

PATIENCE_S = 0.5
"""A user who waits for longer wonders whether anything happens."""


class LoadingNotice:
    """Makes a job of every read that takes long. Owner: render thread."""

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._count = 0
        self._told: JobUpdate | None = None

    def is_told(self, job: str) -> bool:
        """Return whether this is what the viewers were told that the picture waits for."""
        return self._told is not None and self._told.job == job

    def look(self, now_s: float, *, loading: bool) -> JobUpdate | None:
        """Return what the viewers must be told, if anything."""
        if not loading:
            told, self._told, self._began_s = self._told, None, None
            return None if told is None else JobUpdate(told.job, 0, told.title, "done")
        if self._began_s is None:
            self._began_s = now_s
        if self._told is not None or now_s - self._began_s < PATIENCE_S:
            return None
        self._count += 1
        self._told = JobUpdate(f"loading-{self._count}", 0, "Loading data on the server")
        return self._told
