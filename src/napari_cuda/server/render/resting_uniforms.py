"""Uniforms that rest are compiled into a program as constants: what they switch off is then not computed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
from vispy.gloo import gl
from vispy.gloo.glir import GlirFragmentShader, GlirGeometryShader, GlirProgram, GlirShader, GlirVertexShader

RESTING: Mapping[str, float] = {
    "u_gamma": 1.0,
    "gamma": 1.0,
    "method": 0,
    "u_enabled": 0,
    "u_rgb_mode": 0,
}
"""Uniforms of vispy's and napari's shaders that most scenes leave at that: the gamma of images and volumes, how an
image is drawn, whether a filter is on (picking, a texture), and whether a volume has colours of its own."""

_DECLARATION = re.compile(
    r"^(?P<indent>\s*)uniform\s+(?P<type>float|int)\s+(?P<name>(?P<base>\w+?)(?:_\d+)?)\s*;", re.M
)
"""vispy numbers names that come more than once."""


def with_constants(code: str, varying: frozenset[str]) -> tuple[str, dict[str, float]]:
    """Return a shader's code with its resting uniforms as constants, but those of `varying`, and the constants."""
    constants: dict[str, float] = {}

    def declare(match: re.Match[str]) -> str:
        name, value = match["name"], RESTING.get(match["base"])
        if value is None or name in varying:
            return match[0]
        constants[name] = value
        written = f"{value:.1f}" if match["type"] == "float" else f"{value:.0f}"
        return f"{match['indent']}const {match['type']} {name} = {written};"

    return _DECLARATION.sub(declare, code), constants


class _RestingShader(GlirShader):
    """Owner: render thread."""

    source = ""
    """As vispy gave it."""
    constants: Mapping[str, float] = {}

    def set_data(self, offset: int, code: str, varying: frozenset[str] = frozenset()) -> None:
        self.source = code
        compiled, self.constants = with_constants(code, varying)
        super().set_data(offset, compiled)


class RestingVertexShader(_RestingShader, GlirVertexShader):
    """Owner: render thread."""


class RestingFragmentShader(_RestingShader, GlirFragmentShader):
    """Owner: render thread."""


class RestingGeometryShader(_RestingShader, GlirGeometryShader):
    """Owner: render thread."""


class RestingProgram(GlirProgram):
    """Owner: render thread.

    Linked with all of `RESTING` at rest. The first value that differs has the program linked anew, with that uniform
    as one for good: a gamma that is dragged costs this once.
    """

    def create(self) -> None:
        super().create()
        self._begin()

    def _begin(self) -> None:
        self._sources: list[tuple[type[_RestingShader], str]] = []
        self._varying: frozenset[str] = frozenset()
        self._constants: dict[str, float] = {}
        self._uniforms: dict[str, tuple[Any, ...]] = {}
        self._textures: dict[str, int] = {}
        self._buffers: dict[str, tuple[Any, ...]] = {}

    def attach(self, id_: int) -> None:
        if not self._attached_shaders:
            self._begin()  # code in place of what was linked before: vispy sets all anew
        super().attach(id_)
        shader = self._parser.get_object(id_)
        self._sources.append((type(shader), shader.source))
        self._constants |= shader.constants

    def set_uniform(self, name: str, type_: str, value: npt.NDArray[Any]) -> None:
        constant = self._constants.get(name)
        if constant is not None:
            if (value == constant).all():
                return
            self._let_vary(name)
        self._uniforms[name] = type_, value
        super().set_uniform(name, type_, value)

    def set_texture(self, name: str, value: int) -> None:
        self._textures[name] = value
        super().set_texture(name, value)

    def set_attribute(self, name: str, type_: str, value: tuple[Any, ...], divisor: int | None = None) -> None:
        self._buffers[name] = type_, value, divisor
        super().set_attribute(name, type_, value, divisor)

    def _let_vary(self, name: str) -> None:
        """Link again, with a uniform in place of the constant, and all else as it was set.

        Of what was set, what the constant had switched off was nowhere until now.
        """
        self._varying |= {name}
        self._constants = {}
        shaders = []
        for kind, source in self._sources:
            shader = kind(self._parser, self.id)
            shader.set_data(0, source, self._varying)
            gl.glAttachShader(self._handle, shader.handle)
            self._constants |= shader.constants
            shaders.append(shader)
        self._attached_shaders = shaders
        self.link_program()
        for shader in shaders:
            shader.delete()
        for uniform, args in self._uniforms.items():
            super().set_uniform(uniform, *args)
        for sampler, texture in self._textures.items():
            if self._is_there(texture):
                super().set_texture(sampler, texture)
        for attribute, (type_, value, divisor) in self._buffers.items():
            if value[0] == 0 or self._is_there(value[0]):
                super().set_attribute(attribute, type_, value, divisor)

    def _is_there(self, object_id: int) -> bool:
        """Return whether a texture or buffer was not deleted since it was set."""
        return self._parser.get_object(object_id) is not None
