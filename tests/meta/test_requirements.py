"""Every declared requirement is pinned in constraints.txt, to a version that it allows."""

from __future__ import annotations

import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from meta.repository import ROOT

OWN_NAME = "napari-cuda"


def pins() -> dict[str, str]:
    """Name to version, as in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = [line.split("==") for line in lines if line.strip() and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pinned), "each line of constraints.txt must read name==version"
    return {canonicalize_name(name): version for name, version in pinned}


def requirements() -> list[Requirement]:
    """What pyproject.toml asks for: to build, to run, and in every extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    named = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(text for extra in project["project"]["optional-dependencies"].values() for text in extra),
    ]
    return [requirement for text in named if (requirement := Requirement(text)).name != OWN_NAME]


def test_every_requirement_is_pinned_to_an_allowed_version() -> None:
    pinned = pins()
    wrong = [
        f"{requirement} (pinned: {pinned.get(canonicalize_name(requirement.name))})"
        for requirement in requirements()
        if not requirement.specifier.contains(pinned.get(canonicalize_name(requirement.name), "0"), prereleases=True)
    ]
    assert not wrong, f"constraints.txt does not satisfy pyproject.toml: {wrong}"


def test_no_accelerator_framework_is_pulled_in() -> None:
    assert not {"torch", "jax", "cupy", "tensorflow"} & set(pins())
