"""The mouse: a drag on a layer, moves, the wheel and double clicks of the viewer."""

import napari
import numpy as np

viewer = napari.Viewer()
layer = viewer.add_image(np.zeros((100, 100)), name="board")
marks = viewer.add_points(ndim=2, name="marks", size=4)
viewer.layers.selection.active = layer
viewer.canvas.overlays.text.visible = True
viewer.canvas.overlays.text.text = "drag, double click, turn the wheel"


@layer.mouse_drag_callbacks.append
def measure(layer, event):
    """Tell how far a drag went."""
    start, moves = np.array(event.position), 0
    yield
    while event.type == "mouse_move":
        moves += 1
        yield
    layer.metadata["drag"] = (moves, np.linalg.norm(np.array(event.position) - start))
    viewer.canvas.overlays.text.text = f"a drag of {moves} moves" if moves else "a click"


@viewer.mouse_move_callbacks.append
def follow(viewer, event):
    """Have the title tell where the pointer is."""
    viewer.title = "at {:.0f}, {:.0f}".format(*event.position)


@viewer.mouse_wheel_callbacks.append
def turn(viewer, event):
    """Make the picture brighter or darker."""
    layer.opacity = float(np.clip(layer.opacity - 0.1 * event.delta[1], 0.1, 1))


@viewer.mouse_double_click_callbacks.append
def mark(viewer, event):
    """Leave a mark."""
    marks.add(np.array([event.position]))
    viewer.canvas.overlays.text.text = f"marks: {len(marks.data)}"


if __name__ == "__main__":
    napari.run()
