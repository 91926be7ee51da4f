"""vispy's transforms hand their numbers to shader code only once a visual has asked for that code.

A camera that moves has vispy make some twenty transforms per draw, for multiplying points and each other only. Each
of them told its numbers to two shader functions at each step, for which its matrix was inverted too: a third of what
a draw costs in Python (docs/adr/0006-fast-and-exact.md).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from vispy.visuals.shaders import Function
from vispy.visuals.transforms import MatrixTransform, STTransform

PRIVATE_NAMES = ("_shader_map", "_shader_imap", "_matrix", "_inv_matrix", "_update_shaders")
"""Of vispy's transforms; a contract test checks that they are there, and that nothing else tells shaders anything."""


@functools.cache
def make_transforms_lean() -> None:
    """Have the matrices and the scale-and-translate transforms that this process makes from now on do so.

    Owner: the thread of napari's canvas.
    """
    for kind, tell in ((MatrixTransform, _tell_matrix), (STTransform, STTransform._update_shaders)):
        _make_lean(kind, tell)
    MatrixTransform.matrix = property(MatrixTransform.matrix.fget, _set_matrix)
    STTransform._update_shaders = _tell_if_used


def _make_lean(kind: Any, tell: Callable[[Any], None]) -> None:
    init = kind.__init__

    @functools.wraps(init)
    def begin(transform: Any, *args: Any, **options: Any) -> None:
        transform._code_is_used = False
        init(transform, *args, **options)

    def using(function: str) -> Callable[[Any], Function]:
        def get(transform: Any) -> Function:
            if not transform._code_is_used:
                transform._code_is_used = True
                tell(transform)
            found: Function = getattr(transform, function)
            return found

        return get

    kind._code_is_used = True  # of those that are there already
    kind._tell_shaders = tell
    kind.__init__ = begin
    kind.shader_map, kind.shader_imap = using("_shader_map"), using("_shader_imap")


def _tell_if_used(transform: Any) -> None:
    if transform._code_is_used:
        transform._tell_shaders()


def _tell_matrix(transform: Any) -> None:
    transform._shader_map["matrix"] = transform.matrix
    transform._shader_imap["inv_matrix"] = transform.inv_matrix


def _set_matrix(transform: Any, matrix: Any) -> None:
    transform._matrix, transform._inv_matrix = matrix, None
    _tell_if_used(transform)
    transform.update()
