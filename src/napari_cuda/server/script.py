"""Running a Python file as `python FILE ARGS` would, in this process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType

from napari_cuda.protocol.errors import StartupError

INTERRUPTED = 130
"""What a shell reports of a program that an interrupt ended."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a script ended: the status of the process, and one line for people."""

    status: int
    line: str


def run_as_main(path: Path, arguments: list[str]) -> Ending:
    """Run a script as the process's `__main__` module and return how it ended; its errors are printed as Python does.

    Owner: main thread. `sys.argv`, `sys.path` and `sys.modules["__main__"]` are the script's from now on: what it
    started (threads, child processes that import it, `atexit`) finds them so. Raises StartupError if it cannot be read.
    """
    name = path.name
    try:
        code_text = path.read_bytes()
    except OSError as error:
        raise StartupError(f"cannot read the script {path}: {error.strerror or error}") from None
    file = str(path.absolute())
    main = ModuleType("__main__")
    vars(main).update(__file__=file, __builtins__=__builtins__, __loader__=SourceFileLoader("__main__", file))
    sys.modules["__main__"] = main
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.absolute().resolve().parent))
    try:
        exec(compile(code_text, file, "exec", dont_inherit=True), vars(main))  # not with the `__future__` of this one
    except SystemExit as leave:
        return _left(name, leave)
    except KeyboardInterrupt:
        return Ending(INTERRUPTED, f"{name} was interrupted")
    except BaseException as error:  # noqa: BLE001 -- a script may raise anything
        trace = own_part(error.__traceback__, file)
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return Ending(1, f"{name} failed: {where(error, file)}")
    return Ending(0, f"{name} has ended")


def _left(name: str, leave: SystemExit) -> Ending:
    """Do with `sys.exit(…)` what Python does at the end of a program."""
    code = leave.code
    if code is None or isinstance(code, int):
        status = code or 0
        return Ending(status, f"{name} has ended" + (f" with status {status}" if status else ""))
    print(code, file=sys.stderr)  # noqa: T201 -- as Python does
    return Ending(1, f"{name} has ended: {str(code).splitlines()[0] if str(code) else 'status 1'}")


def own_part(trace: TracebackType | None, file: str) -> TracebackType | None:
    """Return a traceback from the script's first line on; all of it if the script is not in it."""
    own = trace
    while own is not None and own.tb_frame.f_code.co_filename != file:
        own = own.tb_next
    return own if own is not None else (None if _never_ran(trace) else trace)


def _never_ran(trace: TracebackType | None) -> bool:
    """Return whether there is no more in a traceback than the attempt to compile."""
    return trace is not None and trace.tb_next is None


def where(error: BaseException, file: str) -> str:
    """Return an exception in one line, with the innermost line of the script that it came from."""
    line = f"{type(error).__name__}: {error}".splitlines()[0] if str(error) else type(error).__name__
    at, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            at = trace.tb_lineno
        trace = trace.tb_next
    return f"line {at}: {line}" if at else line
