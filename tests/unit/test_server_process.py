"""ServerProcess where the server does not come up; where it does, the integration tests live in it."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from napari_cuda.protocol.errors import StartupError
from napari_cuda.server_process import ProcessOutput, ServerProcess


def children() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/no/such/stack.tif"], "/no/such/stack.tif does not exist"),
        (["--root", "/no/such/folder"], "/no/such/folder is not a folder"),
        (["--host", "0.0.0.0"], "without TLS"),
    ],
    ids=["path", "root", "host"],
)
def test_a_server_that_ends_at_once_leaves_its_last_words_and_nothing_else(arguments: list[str], words: str) -> None:
    before = children()
    server = ServerProcess(arguments)
    with pytest.raises(StartupError, match=words) as caught, server:
        pytest.fail("it came up")
    assert "\n" not in str(caught.value)
    assert not str(caught.value).startswith("error: ")
    assert children() == before
    assert server.url == ""
    assert server.log() == ""
    gc.collect()  # an open file or pipe would be a ResourceWarning here


def test_an_option_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(StartupError), ServerProcess(["--no-such-option"]):
        pytest.fail("it came up")


def test_a_server_that_was_not_started() -> None:
    server = ServerProcess([])
    assert server.log() == ""
    assert server.stop() == 0
    assert server.stop() == 0
    with pytest.raises(StartupError, match="was not started"):
        _ = server.pid


def test_output_read_while_it_is_written_stays_whole() -> None:
    output = ProcessOutput()
    script = "for number in range(20_000): print(number, flush=True)"
    with output.opened() as file:
        process = subprocess.Popen([sys.executable, "-c", script], stdout=file)
    while process.poll() is None:
        output.text()
    assert output.text().split() == [str(number) for number in range(20_000)]
    output.close()
