"""A hand at a browser's page that does random things, and what that page then knows of the session."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec
from playwright.sync_api import Page

from e2e.conftest import View
from napari_cuda.protocol import messages as m

KEYS = ("r", "y", "g", "v", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "+", "-", "Control+z", "Escape")
FEWEST_LAYERS = 4

# Before the page's own: where a notebook has the widget's module from.
REMEMBER_MODULES = """
window.modules = [];
const address = URL.createObjectURL;
URL.createObjectURL = blob => {
    const url = address.call(URL, blob);
    if (/javascript/.test(blob.type)) window.modules.push(url);
    return url;
};
"""
_WATCH = """async () => {
    for (const url of [...window.modules, 'viewer.js']) {
        const {ControlState} = await import(new URL(url, document.baseURI).href).catch(() => ({}));
        if (ControlState === undefined) continue;
        const known = ControlState.prototype.known;
        ControlState.prototype.known = function (target) {
            window.control = this;
            return known.call(this, target);
        };
        return true;
    }
    return false;
}"""
_KNOWN = """() => {
    const {control} = window, layer = id => ({spec: control.specs.get(id), values: control.known(`layer:${id}`)});
    const scopes = Object.fromEntries(['scene', 'dims', 'camera', 'view'].map(name => [name, control.known(name)]));
    const names = [...document.querySelectorAll('.nc-layer .nc-pick')].map(pick => pick.textContent);
    return {...scopes, revision: control.revision, layers: [...control.specs.keys()].map(layer), names};
}"""
# In one go, for the layers may be others a moment later. Returns what was done; nothing if there was nothing for it.
_TOUCH = """([what, which, how, fewest]) => {
    const root = document.querySelector('.nc-root');
    const shown = all => [...root.querySelectorAll(all)].filter(one => !one.disabled && one.checkVisibility());
    const one = all => all[Math.floor(which * all.length)];
    const said = (field, ...names) => names.forEach(name => field.dispatchEvent(new Event(name, {bubbles: true})));
    const put = (field, value) => { field.value = value; said(field, 'input', 'change'); };
    const set = field => {
        if (field === undefined) return '';
        const options = [...(field.options ?? [])];
        const [low, high] = [Number(field.min || 0), Number(field.max || 10)];
        if (field.type === 'checkbox') field.click();
        else if (options.length) put(field, options[Math.floor(how * options.length)].value);
        else if (field.type === 'color') put(field, '#' + Math.floor(how * 0xffffff).toString(16).padStart(6, '0'));
        else if (field.type === 'range') put(field, low + how * (high - low));
        else if (field.type === 'number') put(field, Math.round(low + how * Math.min(high - low, 10)));
        else return '';
        return `${field.closest('[data-property]')?.dataset.property ?? field.className} = ${field.value}`;
    };
    const press = button => button === undefined ? '' : (button.click(), button.title || button.ariaLabel);
    const tool = name => press(shown(`.nc-list-tools button[aria-label="${name}"]`)[0]);
    switch (what) {
        case 'control': return set(one(shown('.nc-control input, .nc-control select')));
        case 'slider': return set(one(shown('.nc-dim input[type=range]')));
        case 'select': return press(one(shown('.nc-pick')));
        case 'eye': return press(one(shown('.nc-eye')));
        case 'move': return tool(how < 0.5 ? 'Move layer up' : 'Move layer down');
        case 'remove': return shown('.nc-layer').length > fewest ? tool('Remove layer') : '';
        case 'rename': {
            if (!tool('Rename layer')) return '';
            const field = root.querySelector('.nc-name:not([hidden])');
            if (field === null) return '';
            field.value = `renamed ${Math.floor(1000 * how)}`;
            field.blur();
            return field.value;
        }
    }
}"""


class BrowserHand:
    """Does random things to a view in a browser. `done` counts what it did, `missed` what there was nothing for."""

    def __init__(self, view: View, chance: random.Random) -> None:
        self.view = view
        self.done: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self._chance = chance
        assert view.page.evaluate(_WATCH), "this page has no module of ours"

    def act(self) -> str:
        """Do one thing; return what, in words."""
        touches = {"control": 30, "slider": 10, "select": 8, "eye": 4, "move": 3, "rename": 2, "remove": 1}
        hands = {"pan": 8, "wheel": 4, "key": 8}
        weights = touches | hands
        (what,) = self._chance.choices(list(weights), list(weights.values()))
        if what in touches:
            told = self.view.page.evaluate(_TOUCH, [what, self._chance.random(), self._chance.random(), FEWEST_LAYERS])
        else:
            told = getattr(self, f"_{what}")()
        (self.done if told else self.missed)[what] += 1
        return f"{what}: {told}"

    def known(self) -> dict[str, Any]:
        """Return what the page knows: revision, values of scene, dims, camera, view and layers, names in the list."""
        self.view.page.wait_for_function("() => window.control !== undefined")
        known: dict[str, Any] = self.view.page.evaluate(_KNOWN)
        return known

    # --- what a pointer does ------------------------------------------------------------

    def _pan(self) -> str:
        x, y = self._somewhere()
        dx, dy = (round(self._chance.uniform(-60, 60)) for _ in range(2))
        mouse = self.view.page.mouse
        mouse.move(x, y)
        mouse.down()
        mouse.move(x + dx, y + dy, steps=3)
        mouse.up()
        return f"by {dx}, {dy}"

    def _wheel(self) -> str:
        self.view.page.mouse.move(*self._somewhere())
        way = self._chance.choice((-100, 100))
        self.view.page.mouse.wheel(0, way)
        return str(way)

    def _key(self) -> str:
        key = self._chance.choice(KEYS)
        self.view.press(key)
        return key

    def _somewhere(self) -> tuple[float, float]:
        self.view.canvas.scroll_into_view_if_needed()
        x, y = self.view.center()
        return x + self._chance.uniform(-50, 50), y + self._chance.uniform(-50, 50)


def unlike(name: str, known: dict[str, Any], truth: m.SceneSnapshot) -> list[str]:
    """Return what a page knows differently from the server, value by value; empty if nothing."""
    said = msgspec.to_builtins(truth)
    pairs: list[tuple[str, Any, Any]] = [
        (scope, known[scope], said[scope]) for scope in ("scene", "dims", "camera", "view")
    ]
    layers = {layer["spec"]["layer"]: layer for layer in known["layers"]}
    found = [] if known["revision"] == truth.revision else [f"{name}: is at revision {known['revision']}"]
    for layer in said["layers"]:
        there = layers.pop(layer["spec"]["layer"], {"spec": {}, "values": {}})
        pairs += [(f"layer {layer['values']['name']}: {part}", there[part], layer[part]) for part in ("spec", "values")]
    found += [f"{name}: has a layer {left['values'].get('name')!r} more" for left in layers.values()]
    order = [layer["values"]["name"] for layer in said["layers"]]
    if sorted(known["names"]) != sorted(order):
        found.append(f"{name}: its list has {known['names']}, the server's {order}")
    return found + [
        f"{name}: {where}.{key} is {there.get(key)!r}, the server says {value!r}"
        for where, there, here in pairs
        for key, value in here.items()
        if there.get(key) != value
    ]


def take_canvas(page: Page, by: int) -> None:
    """Make a page's window another size: whoever resizes last has the canvas."""
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": size["width"] + by, "height": size["height"]})
