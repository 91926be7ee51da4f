"""DataAccess: opening and saving on the server, sending files there and fetching them. Owner: GUI thread."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from msgspec.structs import replace

from napari_cuda.client.control.job_board import OWN, JobBoard
from napari_cuda.client.errands import Errands
from napari_cuda.client.net.array_stream import ArrayStream
from napari_cuda.client.net.file_service import FileService, size_of
from napari_cuda.client.net.transfer import Transfer, TransferCancelled
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import DataError, NapariCudaError
from napari_cuda.protocol.wire_types import Wire

NO_FILE_NAME = re.compile(r'[/\\:*?"<>|\x00-\x1f]')
"""What a layer may be called and a file may not."""


class Ask(Protocol):
    """What is sent to the server as a command."""

    def __call__(self, name: str, **args: Wire) -> int:
        """Return the number under which it is acknowledged; 0: it could not be asked."""


class DataAccess:
    """Owner: GUI thread. What takes long is a job on the `board`, the server's work and our transfers alike."""

    def __init__(self, command: Ask, post: Callable[[Callable[[], None]], object], service: FileService) -> None:
        self.board = JobBoard()
        self.service = service
        self.errands = Errands(post)
        self._command = command
        self._post = post
        self._numbers = itertools.count(1)
        self._transfers: dict[str, tuple[Transfer, Callable[[Exception], None]]] = {}
        """By job: what can be given up, and who is told that it was."""
        self._targets: dict[int, Path] = {}
        """Where what an export makes is to go: by the number of its command."""
        self.board.watch(self._follow)

    def open(self, paths: Sequence[str], *, stack: bool = False, plugin: str = "", layer_type: str = "") -> int:
        """Open paths on the server; return the number of the request."""
        return self._command("data.open", paths=list(paths), stack=stack, plugin=plugin, layer_type=layer_type)

    def save(self, path: str, layers: Sequence[str], *, plugin: str = "", overwrite: bool = False) -> int:
        """Save layers to a path on the server; return the number of the request."""
        return self._command("data.save", path=path, layers=list(layers), plugin=plugin, overwrite=overwrite)

    def save_here(self, target: Path, layers: Sequence[str], *, plugin: str = "") -> int:
        """Have the server write layers, and fetch what it wrote to `target`; return the number of the request."""
        number = self._command("data.export", file_name=target.name, layers=list(layers), plugin=plugin)
        if number:
            self._targets[number] = target
        return number

    def upload(self, sources: Sequence[Path], then: Callable[[list[str]], object]) -> str:
        """Send local files and folders; `then` gets their paths on the server. Returns the job's name."""
        title = f"Sending {sources[0].name}" + (f" and {len(sources) - 1} more" if len(sources) > 1 else "")
        total_bytes = sum(size_of(source) for source in sources)

        def send(transfer: Transfer) -> list[str]:
            return [self.service.upload(source, transfer) for source in sources]

        return self._transfer(title, total_bytes, send, then)

    def send_arrays(
        self, name: str, arrays: Sequence[Any], then: Callable[[str], object], failed: Callable[[str], object]
    ) -> str:
        """Send arrays that are here, lazy ones as they are computed. Returns the job's name.

        `then` gets their path on the server, `failed` why not ("": cancelled).
        """
        stream = ArrayStream(arrays)
        service = self.service

        def send(transfer: Transfer) -> str:
            try:
                return service.upload_arrays(stream, transfer)
            except (NapariCudaError, OSError, TransferCancelled):
                raise
            except Exception as error:  # a lazy array raises anything
                raise DataError(f"{type(error).__name__}: {error}".splitlines()[0]) from error

        return self._transfer(f"Sending {name}", stream.size_bytes, send, then, failed=failed)

    def cancel(self, job: str) -> None:
        """Give a job up."""
        transfer, ended = self._transfers.get(job, (None, None))
        if transfer is None or ended is None:
            self._command("job.cancel", job=job)
        elif transfer.cancel():
            ended(TransferCancelled())  # its thread still has the server forget what arrived: nobody waits for that

    def follow(self, service: FileService) -> None:
        """Another session begins, perhaps on another server: what was on its way to the old one is given up."""
        self._give_up()
        self.service = service

    def close(self) -> None:
        """Give up all transfers."""
        self._give_up()
        self.errands.close()

    def _give_up(self) -> None:
        for transfer, _ended in self._transfers.values():
            transfer.cancel()

    def _follow(self, job: m.JobUpdate) -> None:
        """A job changed: something may wait for its end."""
        if job.state == "running":
            return
        target = self._targets.pop(job.intent, None)
        if job.state == "done" and target is not None:
            self._fetch(job, target)

    def _fetch(self, job: m.JobUpdate, target: Path) -> None:
        """Fetch what an export made."""
        key, name, size_bytes = job.result["download"], job.result["name"], int(job.result["size_bytes"])
        if name != target.name:  # several files came of it: they are in a ZIP
            target = target.with_name(name)

        def fetch(transfer: Transfer) -> dict[str, Any]:
            self.service.download(key, size_bytes, target, transfer)
            return {"paths": [str(target)]}

        self._transfer(f"Fetching {name}", size_bytes, fetch, lambda result: None, intent=-job.intent)

    def _transfer(
        self,
        title: str,
        total_bytes: int,
        work: Callable[[Transfer], Any],
        then: Callable[[Any], object],
        intent: int = 0,
        failed: Callable[[str], object] = lambda why: None,
    ) -> str:
        """Begin a transfer as a job of our own."""
        job = m.JobUpdate(f"{OWN}{next(self._numbers)}", intent, title)

        def report(done_bytes: int) -> None:
            fraction = done_bytes / total_bytes if total_bytes else None
            self._post(partial(self.board.take, replace(job, fraction=fraction)))

        transfer = Transfer(report)

        def done(result: Any) -> None:
            if job.job not in self._transfers:
                return  # given up
            end("done", result if isinstance(result, dict) else {})
            then(result)

        def ended_badly(error: Exception) -> None:
            if job.job not in self._transfers:
                return
            why = "" if isinstance(error, TransferCancelled) else f"{title}: {error}"
            end("failed" if why else "cancelled", error=why)
            failed(why)

        def end(
            state: Literal["done", "failed", "cancelled"], result: dict[str, Any] | None = None, error: str = ""
        ) -> None:
            self._transfers.pop(job.job, None)
            self.board.take(replace(job, state=state, result=result or {}, error=error))

        self._transfers[job.job] = transfer, ended_badly
        self.board.take(job)

        def carry() -> Any:
            result = work(transfer)
            transfer.arrive()
            return result

        try:
            self.errands.run("transfer", carry, done, ended_badly, transfer.cancel)
        except NapariCudaError as error:
            ended_badly(error)
        return job.job
