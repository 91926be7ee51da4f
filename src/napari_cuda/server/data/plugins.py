"""The npe2 plugins of the server."""

from __future__ import annotations

from npe2 import PluginManager

OWN = frozenset({"napari", "napari_builtins", "napari_cuda"})
"""Modules of napari's own plugin, and of ours."""


def plugin_modules() -> set[str]:
    """Return the roots of the modules that plugins have their code in."""
    manifests = PluginManager.instance().iter_manifests()
    names = [command.python_name or "" for manifest in manifests for command in manifest.contributions.commands or ()]
    return {name.partition(":")[0].partition(".")[0] for name in names} - OWN - {""}
