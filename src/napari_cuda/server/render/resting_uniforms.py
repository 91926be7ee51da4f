"""Uniforms that rest are compiled into a program as constants: what they switch off is then not computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

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

INEXACT = frozenset({"u_gamma", "gamma"})
"""Of these, those whose constant is another picture than the uniform: llvmpipe's power of 1 rounds otherwise than the
value itself, one pixel in a hundred thousand is off by one. They are constants in frames of what moves only."""

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


def inexact_of(constants: Iterable[str]) -> frozenset[str]:
    """Return those of a program's constants that are `INEXACT`, whatever number vispy gave their names."""
    return frozenset(name for name in constants if re.sub(r"_\d+$", "", name) in INEXACT)


class _Told(NamedTuple):
    """What a program was told of one of its variables."""

    tell: Callable[..., None]
    args: tuple[Any, ...]
    needs: int
    """The texture or buffer; 0: none."""


class _CompiledProgram(GlirProgram):
    """A program made of the sources of another. Owner: render thread."""

    def compile(
        self, sources: Iterable[tuple[type[_RestingShader], str]], varying: frozenset[str]
    ) -> Mapping[str, float]:
        """Link these, with the resting uniforms that are not `varying` as constants; return the constants."""
        constants: dict[str, float] = {}
        shaders = []
        for kind, source in sources:
            shader = kind(self._parser, self.id)
            shader.set_data(0, source, varying)
            gl.glAttachShader(self._handle, shader.handle)
            constants |= shader.constants
            shaders.append(shader)
        self._attached_shaders = shaders
        self.link_program()
        for shader in shaders:
            shader.delete()
        return constants

    def retell(self, told: Mapping[str, _Told]) -> None:
        """Set what was set on another program, but textures and buffers that were deleted since."""
        for name, (tell, args, needs) in told.items():
            if not needs or self._parser.get_object(needs) is not None:
                tell(self, name, *args)


class RestingProgram(_CompiledProgram):
    """Owner: render thread.

    Linked with all of `RESTING` at rest. The first value that differs has the program linked anew, with that uniform
    as one for good: a gamma that is dragged costs this once.

    While its parser's `exact` is on, a twin draws in its place, in which what is `INEXACT` is uniforms. It is linked
    before it is first wanted (the parser's `link_twins`), or then, and told what was set since it last drew: what
    moves has no part in its costs.
    """

    def create(self) -> None:
        super().create()
        self._twin: _CompiledProgram | None = None
        self._begin()

    def _begin(self) -> None:
        self._sources: list[tuple[type[_RestingShader], str]] = []
        self._varying: frozenset[str] = frozenset()
        self._constants: dict[str, float] = {}
        self._told: dict[str, _Told] = {}
        self._drop_twin()

    def _drop_twin(self) -> None:
        self._untold: set[str] = set()
        """What the twin has not been told yet."""
        if self._twin is not None:
            self._twin.delete()
            self._twin = None

    def delete(self) -> None:
        self._drop_twin()
        self._parser.twinless.discard(self)
        super().delete()

    def attach(self, id_: int) -> None:
        if not self._attached_shaders:
            self._begin()  # code in place of what was linked before: vispy sets all anew
        super().attach(id_)
        shader = self._parser.get_object(id_)
        self._sources.append((type(shader), shader.source))
        self._constants |= shader.constants

    def link_program(self) -> None:
        super().link_program()
        self._inexact = inexact_of(self._constants)

    def set_uniform(self, name: str, type_: str, value: npt.NDArray[Any]) -> None:
        constant = self._constants.get(name)
        at_rest = constant is not None and bool((value == constant).all())
        if constant is not None and not at_rest:
            self._let_vary(name)
        if not at_rest or name in self._inexact:
            self._note(name, _Told(GlirProgram.set_uniform, (type_, value), 0))
        if not at_rest:
            super().set_uniform(name, type_, value)

    def set_texture(self, name: str, value: int) -> None:
        self._note(name, _Told(GlirProgram.set_texture, (value,), value))
        super().set_texture(name, value)

    def set_attribute(self, name: str, type_: str, value: tuple[Any, ...], divisor: int | None = None) -> None:
        self._note(name, _Told(GlirProgram.set_attribute, (type_, value, divisor), value[0]))
        super().set_attribute(name, type_, value, divisor)

    def _note(self, name: str, told: _Told) -> None:
        self._told[name] = told
        self._untold.add(name)

    def draw(self, mode: Any, selection: tuple[Any, ...], instances: int = 1) -> None:
        """As vispy's; by the twin if the picture is to be exact, and otherwise the parser is told that it is not."""
        if not self._inexact:
            super().draw(mode, selection, instances)
        elif self._parser.exact:
            self.ready_twin().draw(mode, selection, instances)
        else:
            self._parser.inexact = True
            if self._twin is None:
                self._parser.twinless.add(self)
            super().draw(mode, selection, instances)

    def ready_twin(self) -> GlirProgram:
        """Return what draws exactly, linked, and told what this was told."""
        twin = self._twin
        if twin is None:
            twin = _CompiledProgram(self._parser, self.id)
            twin.compile(self._sources, self._varying | self._inexact)
            self._twin, self._untold = twin, set(self._told)
        if self._untold:
            twin.retell({name: self._told[name] for name in self._told if name in self._untold})
            self._untold = set()
        return twin

    def _let_vary(self, name: str) -> None:
        """Link again, with a uniform in place of the constant, and all else as it was set.

        Of what was set, what the constant had switched off was nowhere until now.
        """
        self._drop_twin()  # it has this constant too, or is the same program from now on
        self._varying |= {name}
        self._constants = dict(self.compile(self._sources, self._varying))
        self._inexact = inexact_of(self._constants)
        self.retell(self._told)
