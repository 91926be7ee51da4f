"""Running a file as Python's main program: what it finds, and how it ends. In processes of their own: each is one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = """
import json, sys
from pathlib import Path
from napari_cuda.server.script import run_as_main
ending = run_as_main(Path(sys.argv[1]), sys.argv[2:])
sys.stdout.flush()
print(json.dumps([ending.status, ending.line]), file=sys.stderr)
"""


def run(tmp_path: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script with this text."""
    (tmp_path / "work.py").write_text(text)
    command = [sys.executable, "-c", RUNNER, str(tmp_path / "work.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def python(tmp_path: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it with Python itself."""
    (tmp_path / "work.py").write_text(text)
    command = [sys.executable, str(tmp_path / "work.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


SURROUNDINGS = """
import sys, __main__
import beside
def annotated(value: int) -> int: ...
print(annotated.__annotations__)
print(__name__, sys.argv, __file__, sys.path[0], beside.HERE, __main__.__dict__ is globals(), __spec__, __package__)
"""


def test_a_script_finds_what_python_gives_it(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("HERE = 7")
    found = run(tmp_path, SURROUNDINGS, "--level", "3")
    assert found.stdout == python(tmp_path, SURROUNDINGS, "--level", "3").stdout
    assert found.stdout
    assert '[0, "work.py has ended"]' in found.stderr


POOLED = """
import multiprocessing
def double(value):
    return 2 * value
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(double, [1, 2]))
"""


def test_processes_that_it_spawns_find_its_functions(tmp_path: Path) -> None:
    assert run(tmp_path, POOLED).stdout == "[2, 4]\n"


@pytest.mark.parametrize(
    ("text", "status", "line"),
    [
        ("pass", 0, "work.py has ended"),
        ("import sys; sys.exit()", 0, "work.py has ended"),
        ("import sys; sys.exit(3)", 3, "work.py has ended with status 3"),
        ("import sys; sys.exit('no data')", 1, "work.py has ended: no data"),
        ("raise KeyboardInterrupt", 130, "work.py was interrupted"),
        ("def f():\n  1 / 0\n\nf()", 1, "work.py failed: line 2: ZeroDivisionError: division by zero"),
        ("x = (", 1, "work.py failed: SyntaxError: '(' was never closed (work.py, line 1)"),
    ],
)
def test_it_ends_as_under_python(tmp_path: Path, text: str, status: int, line: str) -> None:
    found = run(tmp_path, text).stderr.splitlines()
    assert found.pop() == f'[{status}, "{line}"]'
    expected = python(tmp_path, text)
    if status != 130:
        assert (found, status) == (expected.stderr.splitlines(), expected.returncode)


def test_a_failure_is_shown_in_lines_of_the_script_s_own(tmp_path: Path) -> None:
    text = "import json\n\ndef f():\n    json.loads('{')\n\nf()\n"
    found = run(tmp_path, text).stderr.splitlines()[:-1]
    assert found == python(tmp_path, text).stderr.splitlines()


def test_a_script_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUNNER, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines()[-1].endswith(f"cannot read the script {tmp_path}: Is a directory")
