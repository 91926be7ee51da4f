"""What is drawn exactly, looked at from inside a process: `exactness_probe.py NAME [ARG …]`, run headless.

Each probe prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from napari.components import ViewerModel
from OpenGL import GL

from napari_cuda.server.frames import RenderedFrame
from napari_cuda.server.metrics import ServerMetrics
from napari_cuda.server.render import resting_uniforms
from napari_cuda.server.render.drawing import Drawing
from napari_cuda.server.render.egl import EglContext
from napari_cuda.server.render.glir import DrawingCommands
from napari_cuda.server.render.napari_adapter import HeadlessCanvas
from napari_cuda.server.render.napari_model import initialise_napari
from napari_cuda.server.render.resting_uniforms import with_constants
from napari_cuda.server.render.vispy_backend import Framebuffer
from napari_cuda.view import Rendering

sys.path.insert(0, str(Path(__file__).parents[1]))
from scenes import SCENES

SIZE = (1280, 720)


def exactly(gl: EglContext, scene: str, out: str) -> dict[str, Any]:
    """What moves, rests and is grabbed of a scene; the shaders compiled for it with inexact constants, and without."""
    viewer = ViewerModel()
    canvas = HeadlessCanvas(viewer, SIZE, gl)
    SCENES[scene](viewer)
    drawing = Drawing(canvas, Rendering(), ServerMetrics(), reduce_detail=False)
    inexact: list[int] = []

    def note(code: str, varying: frozenset[str]) -> tuple[str, dict[str, float]]:
        made = with_constants(code, varying)
        inexact[-1] += bool(resting_uniforms.inexact_of(made[1]))
        varied[-1] += bool(resting_uniforms.inexact_of(varying))
        return made

    def moving() -> RenderedFrame:
        canvas.pump()
        while canvas.needs_draw or not canvas.settled:
            canvas.pump()
            frame = drawing.moving(1, {}, overlays=False)
        return frame

    def rest() -> RenderedFrame:
        while (frame := drawing.resting(1, {}, overlays=False)) is None:
            pass
        return frame

    varied: list[int] = []
    frames, calm = [], []
    with patch.object(resting_uniforms, "with_constants", note):
        for step in (moving, rest, rest, moving, rest):
            inexact.append(0)
            varied.append(0)
            canvas.request_draw()
            frames.append(step())
            calm.append(not canvas.needs_draw)
        viewer.scene.camera.zoom *= 1.1
        other = moving()
        viewer.scene.camera.zoom /= 1.1
        again = moving()
        grabbed = canvas.grab()
        quick = again.buffer.rgba
        canvas.draw_into(np.empty_like(quick))
        after_grab = canvas.drew_exactly
    for _ in range(3):
        viewer.add_image(np.zeros((9, 9), np.uint8))
    moving()
    turns = []
    with patch("napari_cuda.server.render.drawing.TARGET_S", 0.0):
        for _ in range(2):
            turns.append(1)
            while drawing.resting(1, {}, overlays=False) is None:
                turns[-1] += 1
    np.save(out, grabbed)
    result = {
        "exact": [frame.exact for frame in (*frames, other, again)],
        "linked": [inexact, varied],
        "calm": calm,
        "hashes": [str(frame.picture_hash) for frame in frames],
        "grab_is_rest": bool(np.array_equal(grabbed, frames[1].buffer.rgba)),
        "moving_differs": int((quick != grabbed).any(axis=2).sum()),
        "after_grab": after_grab,
        "turns": turns,
    }
    canvas.close()
    return result


VERTEX = """
attribute vec2 a_place;
attribute float a_blue;
varying float v_blue;
void main() { v_blue = a_blue; gl_Position = vec4(a_place, 0.0, 1.0); }
"""
FRAGMENT = """
uniform float u_gamma;
uniform int u_enabled;
uniform float u_red;
uniform sampler2D u_green;
varying float v_blue;
void main() {
    float red = u_enabled == 1 ? 0.0 : pow(u_red, u_gamma);
    gl_FragColor = vec4(red, texture2D(u_green, vec2(0.5)).r, v_blue, 1.0);
}
"""


def twin(gl: EglContext) -> dict[str, Any]:
    """A program and its twin, told what vispy tells programs: the colours of both, and how many programs there are."""
    gl.make_current()
    framebuffer = Framebuffer()
    framebuffer.allocate(8, 8)
    commands = DrawingCommands()
    commands.parse([("CURRENT", 0, framebuffer.id), ("FUNC", "glViewport", 0, 0, 8, 8)])
    picture = np.empty((8, 8, 4), np.uint8)

    def colors(*told: tuple[Any, ...]) -> list[Any]:
        """Return what each draws after these commands, exactly and not, and the number of programs."""
        commands.parse(told)
        found: list[Any] = []
        for commands.exact in (False, True, False):
            commands.inexact = False
            commands.parse([("FUNC", "glClear", GL.GL_COLOR_BUFFER_BIT), ("DRAW", 1, "triangle_strip", (0, 4), 1)])
            framebuffer.read(picture)
            found.append([*(int(value) for value in picture[4, 4, :3]), commands.inexact])
        return [*found, sum(bool(GL.glIsProgram(name)) for name in range(1, 100))]

    def uniform(name: str, value: float) -> tuple[Any, ...]:
        return "UNIFORM", 1, name, "float", np.array([value], np.float32)

    def texture(number: int, level: int) -> list[tuple[Any, ...]]:
        data = np.full((1, 1, 1), level, np.uint8)
        made = [("CREATE", number, "Texture2D"), ("SIZE", number, (1, 1, 1), "luminance", None)]
        return [*made, ("DATA", number, (0, 0), data), ("TEXTURE", 1, "u_green", number)]

    def code(*names: str) -> list[tuple[Any, ...]]:
        made: list[tuple[Any, ...]] = []
        for number, (kind, source) in enumerate((("VertexShader", VERTEX), ("FragmentShader", FRAGMENT)), 2):
            made += [("CREATE", number, kind), ("DATA", number, 0, source), ("ATTACH", 1, number)]
        return [*made, ("LINK", 1), ("DELETE", 2), ("DELETE", 3), *(uniform(name, 1.0) for name in names)]

    corners = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)
    buffer = [("CREATE", 9, "VertexBuffer"), ("SIZE", 9, corners.nbytes), ("DATA", 9, 0, corners)]
    place = ("ATTRIBUTE", 1, "a_place", "vec2", (9, 8, 0), None)
    off = ("UNIFORM", 1, "u_enabled", "int", np.array([0], np.int32))

    def blue(value: float) -> tuple[Any, ...]:
        return "ATTRIBUTE", 1, "a_blue", "float", (0, value), None

    steps = {
        "first": [("CREATE", 1, "Program"), *code("u_gamma"), *buffer, place, off, uniform("u_red", 1.0), blue(0.2)],
        "green": texture(10, 255),
        "uniform": [uniform("u_red", 0.4)],
        "attribute": [blue(0.6)],
        "texture": [("DELETE", 10), *texture(11, 51)],
        "another constant": [("UNIFORM", 1, "u_enabled", "int", np.array([1], np.int32)), uniform("u_red", 0.8)],
        "it back": [off],
        "code": [*code("u_gamma", "u_red"), place, off, blue(0.0), ("TEXTURE", 1, "u_green", 11)],
        "gone": [("DELETE", 11), uniform("u_red", 0.8)],
        "gamma": [*texture(12, 255), uniform("u_gamma", 2.0)],
        "gamma back": [uniform("u_gamma", 1.0)],
    }
    result: dict[str, Any] = {name: colors(*told) for name, told in steps.items()}
    exact = [("CREATE", 1, "Program"), *code("u_gamma"), place, off, uniform("u_red", 0.4), blue(0.2)]
    result["anew"] = colors(("DELETE", 1), *exact, ("TEXTURE", 1, "u_green", 12))
    commands.parse([("DELETE", 1)])
    commands.parse([])
    GL.glUseProgram(0)
    result["left"] = sum(bool(GL.glIsProgram(name)) for name in range(1, 100))
    return result


PROBES = {probe.__name__: probe for probe in (exactly, twin)}

if __name__ == "__main__":
    context = EglContext()
    initialise_napari()
    sys.stdout.write(json.dumps(PROBES[sys.argv[1]](context, *sys.argv[2:])))
