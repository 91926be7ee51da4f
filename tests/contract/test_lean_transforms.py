"""vispy's transforms in their lean form beside its own: the same numbers in shader code, once it is asked for."""

from __future__ import annotations

import subprocess
import sys

PROBE = '''
import numpy as np
from vispy.visuals.shaders import Function
from vispy.visuals.transforms import MatrixTransform, STTransform

from napari_cuda.lean_transforms import PRIVATE_NAMES, make_transforms_lean

matrix = np.diag([2.0, 3.0, 4.0, 1.0]) + np.eye(4, k=-3) * 5


def numbers(transform):
    """What its code is told."""
    return [
        {name: np.array(variable.value).tolist() for name, variable in function._expressions.items()}
        for function in (transform.shader_map(), transform.shader_imap())
    ]


def moved(transform):
    """Set it in every way that there is."""
    if isinstance(transform, STTransform):
        transform.scale, transform.translate = (2, 3), (5, 7)
        transform.zoom((2, 2), center=(1, 1))
        transform.move((1, 2, 3))
        transform.set_mapping([[0, 0], [1, 1]], [[3, 4], [9, 8]], update=True)
    else:
        transform.matrix = matrix
        transform.scale((1, 2, 3))
        transform.rotate(30, (0, 0, 1))
        transform.translate((1, 2, 3))
    return transform


KINDS = (MatrixTransform, STTransform)
before = [moved(kind()) for kind in KINDS]
told = [numbers(transform) for transform in before]
early = [kind() for kind in KINDS]
[transform.shader_map() for transform in early]
missing = [name for name in PRIVATE_NAMES if not any(hasattr(transform, name) for transform in before)]
assert not missing, f"vispy changed ({missing}): adapt src/napari_cuda/lean_transforms.py or pin the older version"

make_transforms_lean()
assert [numbers(moved(transform)) for transform in early] == told, "a transform of before follows no more"
asked_late = [moved(kind()) for kind in KINDS]
calls = []
set_item = Function.__setitem__
Function.__setitem__ = lambda function, name, value: (calls.append(name), set_item(function, name, value))
product = STTransform(scale=(2, 2)) * MatrixTransform(matrix) * STTransform(translate=(1, 2))
assert np.allclose(product.imap(product.map([3, 4, 5, 1])), [3, 4, 5, 1])
assert calls == [], "shader code was told numbers that nobody asked for"
Function.__setitem__ = set_item
assert [numbers(transform) for transform in asked_late] == told
asked_early = [kind() for kind in KINDS]
[transform.shader_imap() for transform in asked_early]
assert [numbers(moved(transform)) for transform in asked_early] == told
heard = []
asked_early[0].changed.connect(heard.append)
asked_early[0].matrix = np.eye(4)
assert len(heard) == 1
'''


def test_they_tell_the_same_numbers_to_the_code_that_is_asked_for() -> None:
    """In a process of its own: what is replaced stays so."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
