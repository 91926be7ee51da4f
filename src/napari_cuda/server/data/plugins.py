"""The npe2 plugins of the server: what of theirs a window can ask for."""

from __future__ import annotations

from collections.abc import Iterator

from npe2 import PluginManager, PluginManifest

from napari_cuda.protocol import messages as m

OURS = "napari-cuda"
NAPARIS = "napari"
"""Its own plugin: of that only the samples are a plugin's to the user."""

OWN_MODULES = frozenset({"napari", "napari_builtins", "napari_cuda"})


def plugin_modules() -> set[str]:
    """Return the roots of the modules that plugins have their code in."""
    commands = [command for manifest in _manifests() for command in manifest.contributions.commands or ()]
    names = [command.python_name or "" for command in commands]
    return {name.partition(":")[0].partition(".")[0] for name in names} - OWN_MODULES - {""}


def plugin_entries(*, widgets: bool) -> list[m.PluginEntry]:
    """Return what plugins contribute for the user to choose; `widgets` too, if there is a window to put them into."""
    return [entry for manifest in _manifests() for entry in _entries(manifest) if widgets or entry.kind != "widget"]


def _manifests() -> Iterator[PluginManifest]:
    return PluginManager.instance().iter_manifests(disabled=False)


def _entries(manifest: PluginManifest) -> Iterator[m.PluginEntry]:
    plugin, offers = manifest.display_name or manifest.name, manifest.contributions
    for sample in offers.sample_data or ():
        yield m.PluginEntry(plugin, "sample", f"{manifest.name}:{sample.key}", sample.display_name)
    if manifest.name in (OURS, NAPARIS):
        return
    for widget in offers.widgets or ():
        yield m.PluginEntry(plugin, "widget", widget.command, widget.display_name)
    # What is called for something else is no entry of a menu.
    parts = (*(offers.readers or ()), *(offers.writers or ()), *(offers.sample_data or ()), *(offers.widgets or ()))
    others = {getattr(part, "command", "") for part in parts}
    for command in offers.commands or ():
        if command.id not in others:
            yield m.PluginEntry(plugin, "command", command.id, command.title)
