"""Uniforms that rest: which of a shader's become constants."""

from __future__ import annotations

from napari_cuda.server.render.resting_uniforms import inexact_of, with_constants

CODE = """
uniform float u_gamma;
uniform float u_gamma_1;
  uniform int   method;  // 0=subdivide, 1=impostor
uniform vec2 u_clim;
uniform int u_enabled_things;
float gamma_of(float u_gamma) { return u_gamma; }
"""


def test_declarations_of_resting_uniforms_become_constants_and_nothing_else() -> None:
    code, constants = with_constants(CODE, frozenset())
    assert constants == {"u_gamma": 1.0, "u_gamma_1": 1.0, "method": 0}
    assert code.splitlines() == [
        "",
        "const float u_gamma = 1.0;",
        "const float u_gamma_1 = 1.0;",
        "  const int method = 0;  // 0=subdivide, 1=impostor",
        "uniform vec2 u_clim;",
        "uniform int u_enabled_things;",
        "float gamma_of(float u_gamma) { return u_gamma; }",
    ]


def test_what_varies_stays_a_uniform() -> None:
    code, constants = with_constants(CODE, frozenset({"u_gamma_1", "method"}))
    assert constants == {"u_gamma": 1.0}
    assert "uniform float u_gamma_1;" in code
    assert "uniform int   method;" in code


def test_of_the_constants_those_of_gamma_are_inexact_whatever_their_number() -> None:
    names = ["u_gamma", "u_gamma_1", "gamma", "gamma_12", "method", "u_enabled_1"]
    assert inexact_of(names) == {"u_gamma", "u_gamma_1", "gamma", "gamma_12"}
