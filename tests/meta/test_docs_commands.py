"""Commands that the documents show are such as the programs take; which blocks are run, and by which test."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer

from documented import BLOCK, blocks, commands
from meta.repository import ROOT, files, text_of
from napari_cuda.cli import app

DOCUMENTS = sorted(
    str(path)
    for path in files()
    if path.suffix == ".md" and not path.is_relative_to("docs/adr") and BLOCK.search(text_of(path) or "")
)
CLI = typer.main.get_command(app)
UsageError: Any = typer.BadParameter.__base__
RUN_BY = {
    ("README.md", "python"): "tests/integration/test_documented_code.py",
    ("docs/notebooks.md", "python"): "tests/e2e/test_notebook.py",
    ("docs/scripts.md", "python"): "tests/integration/test_data_from_python.py",
    ("docs/proxies.md", "nginx"): "tests/e2e/test_proxies.py",
}
"""Which test runs the blocks that are no commands."""

COMMANDS = [(document, line) for document in DOCUMENTS for line in commands(document)]


def check_ours(words: list[str]) -> None:
    """Have our program's own parser take the words, as it would before it does anything."""
    assert words[0] in CLI.commands, f"there is no command {words[0]!r}"
    command = CLI.commands[words[0]]
    if words[1:] not in ([], ["--help"]):  # a command that is only named
        with command.make_context(words[0], words[1:]):
            pass


def check(line: str) -> None:
    """Raise if a line of a shell is no command that works here."""
    words = [word for word in shlex.split(line, comments=True) if word not in ("[URL]", "[ARGS]", "…")]
    if words[0] == "scripts/with-display":
        del words[0]
    match words:
        case ["napari-cuda"]:
            pass
        case ["napari-cuda", "COMMAND", "--help"]:
            pass
        case ["napari-cuda", *rest]:
            check_ours(rest)
        case ["make", *targets]:
            named = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert {target for target in targets if "=" not in target} <= set(named), line
        case [".venv/bin/python", script, *rest]:
            options = {word for word in rest if word.startswith("-")}
            usage = subprocess.run(
                [sys.executable, ROOT / script, "--help"], capture_output=True, text=True, check=True
            )
            assert options <= set(re.findall(r"--?[\w-]+", usage.stdout)), usage.stdout
        case ["pip", "install", what]:
            (extra,) = re.findall(r"^napari-cuda\[(\w+)\]$", what)
            assert re.search(rf"^{extra} = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE), line
        case ["sudo", "apt-get", "install", *_packages]:
            pass  # nothing here says what an archive has
        case _:
            raise AssertionError(f"nobody checks {line!r}")


@pytest.mark.parametrize(("document", "line"), COMMANDS)
def test_commands_are_such_as_the_programs_take(document: str, line: str) -> None:
    if line.startswith("histogram_quantile("):
        ((side, stage),) = re.findall(r"\(napari_cuda_(\w+)_stage_seconds_bucket\{stage=\"(\w+)\"\}", line)
        rows = (ROOT / "docs" / "telemetry.md").read_text().partition(f"## The {side}")[2].partition("\n## ")[0]
        assert f"| `{stage}` | stage | seconds |" in rows  # which is written from the table of the metrics
    else:
        check(line)


@pytest.mark.parametrize(
    "line",
    ["napari-cuda serve --no-such DATA", "napari-cuda sever DATA", "napari-cuda bench --seconds soon", "make dmeo",
     "pip install 'napari-cuda[notes]'", "rm -r /data"],
)  # fmt: skip
def test_others_are_found_out(line: str) -> None:
    with pytest.raises((AssertionError, UsageError)):
        check(line)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_blocks_of_code_are_run_by_a_test(document: str) -> None:
    for block in blocks(document):
        if block.language not in ("", "mermaid"):
            test = RUN_BY[document, block.language]
            assert document.rpartition("/")[2] in (ROOT / test).read_text(), f"{test} runs no block of {document}"
