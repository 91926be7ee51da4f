"""vispy's drawing commands: all objects are gone through after a deletion, and else never."""

from __future__ import annotations

from collections.abc import ItemsView
from typing import Any

from napari_cuda.server.render.glir import DrawingCommands


class Objects(dict[int, Any]):
    """Counts who goes through all of them."""

    looks = 0

    def items(self) -> ItemsView[int, Any]:
        self.looks += 1
        return super().items()


class Program:
    def __init__(self) -> None:
        self.done: list[object] = []

    def draw(self, *args: object) -> None:
        self.done.append(args)

    def delete(self) -> None:
        self.done.append("deleted")


def test_objects_are_looked_through_only_after_some_were_deleted() -> None:
    parser = DrawingCommands()
    objects = parser._objects = Objects({number: Program() for number in range(3)})
    for number in range(3):
        parser.parse([("DRAW", number, "triangles", 0)])
    assert objects.looks == 0
    assert [program.done for program in objects.values()] == [[("triangles", 0)]] * 3

    gone = objects[1]
    parser.parse([("DELETE", 1), ("DRAW", 1, "triangles", 0), ("DRAW", 2, "triangles", 0)])
    assert gone.done == [("triangles", 0), "deleted"], "an object is not drawn after its deletion"
    assert 1 in objects, "it is known as deleted to the commands that follow"
    parser.parse([("DRAW", 2, "triangles", 0)])
    assert sorted(objects) == [0, 2]
    looks = objects.looks
    parser.parse([("DRAW", 2, "triangles", 0)])
    assert objects.looks == looks
