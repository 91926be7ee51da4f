"""What must not be in any file: hosts of registries, paths of one machine, words about how the files came to be."""

from __future__ import annotations

import re

import pytest

from meta.repository import files, text_of

# Written in pieces, so that this file passes its own test.
HOSTS = "|".join(
    re.escape(host)
    for host in (
        "py" + "pi.org",
        "python" + "hosted.org",
        "registry." + "npmjs",
        "deb." + "debian.org",
        "index" + "-url",
    )
)
MACHINE_PATHS = (
    r"(?<![\w.~*)-])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", "fa" + "rm", "ho" + "me", "Us" + "ers")) + ")/"
)
WORDS = (
    r"(?i:\b(?:"
    + "|".join(("clau" + "de", "anthro" + "pic", "chat" + "gpt", "open" + "ai", "copi" + "lot", "ll" + "ms?"))
    + (r"|(?:ai|coding)[ -]assist" + r"ants?)\b)")
)


@pytest.mark.parametrize(
    ("what", "pattern"),
    [("a registry's host", HOSTS), ("a path of one machine", MACHINE_PATHS), ("a word that has no place here", WORDS)],
)
def test_no_file_has(what: str, pattern: str) -> None:
    search = re.compile(pattern)
    found = [
        f"{path}:{number}: {line.strip()[:100]}"
        for path in files()
        for number, line in enumerate((text_of(path) or "").splitlines(), 1)
        if search.search(line)
    ]
    assert not found, f"{what} in:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (HOSTS, "pip install --extra-" + "index" + "-url x"),
        (MACHINE_PATHS, "see /" + "wo" + "rk/main/x.py"),
        (MACHINE_PATHS, '"/' + "ho" + 'me/ada/data"'),
        (WORDS, "asked Clau" + "de"),
    ],
)
def test_the_patterns_find_what_they_should(pattern: str, text: str) -> None:
    assert re.search(pattern, text)


@pytest.mark.parametrize("text", ["llvmpipe", "~/data", "session.hello", "a/home/b"])
def test_the_patterns_let_ordinary_text_pass(text: str) -> None:
    assert not re.search(f"{HOSTS}|{MACHINE_PATHS}|{WORDS}", text)
