"""`napari-cuda run`: scripts that compute, fail, end, make several viewers, and listen to keys and the mouse."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from napari.utils.key_bindings import KeymapHandler
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLineEdit

import napari_cuda
from integration.conftest import Connect, connected_window
from integration.test_window import pump_until, qt
from integration.test_window_tools import send_mouse
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import ConnectError
from napari_cuda.server_process import ServerProcess
from served_script import run_script, wait_for

EXAMPLES = Path(__file__).parents[2] / "examples"

WAITING = """
import sys, time
from pathlib import Path
import napari
import numpy as np
viewer = napari.Viewer()
viewer.add_image(np.eye(8), name="first")
while not Path(sys.argv[1]).exists():
    sum(range(1000))
viewer.add_image(np.eye(8), name="second")
"""


def started(tmp_path: Path, text: str) -> ServerProcess:
    """Return a server, to be entered, of a script that waits for the file `go`."""
    (tmp_path / "work.py").write_text(text)
    return run_script(tmp_path / "work.py", str(tmp_path / "go"))


def ended(server: ServerProcess) -> int:
    """Return the status with which the script's process ended by itself."""
    assert server._process is not None
    return server._process.wait(60)


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [
        ("", 0, "work.py has ended"),
        ("raise ValueError('no cells')", 1, "work.py failed: line 11: ValueError: no cells"),
        pytest.param("sys.exit(3)", 3, "work.py has ended with status 3", marks=pytest.mark.slow),
    ],
)
def test_a_script_that_does_not_run_napari_ends_and_says_so(tmp_path: Path, end: str, status: int, told: str) -> None:
    with started(tmp_path, WAITING + end) as server:
        go = threading.Timer(3.0, (tmp_path / "go").touch)
        go.start()
        with pytest.raises(ConnectError, match=f"^{told}$"):
            napari_cuda.connect(server.connect_url, window=False, timeout_s=60)
        go.join()
        assert ended(server) == status
        if status == 1:
            trace = server.log().splitlines()
            assert "ValueError: no cells" in trace
            assert not [line for line in trace if "napari_cuda" in line and line.lstrip().startswith("File")]


def test_a_script_that_computes_is_waited_for_and_says_where_it_is(tmp_path: Path, connect: Connect) -> None:
    with started(tmp_path, WAITING + "napari.run()\nprint('after')") as server:
        with pytest.raises(ConnectError, match=r"^no scene within 6 s: work\.py is at line (8|9), for \d+ s now: "):
            napari_cuda.connect(server.connect_url, window=False, timeout_s=6)
        (tmp_path / "go").touch()
        viewer = connect(server)
        assert [layer.name for layer in viewer.layers] == ["first", "second"]
        viewer.sync(30)


LONG = """
import sys, time
from pathlib import Path
import napari
import numpy as np
viewer = napari.Viewer()
picture = viewer.add_image(np.eye(8), name="first")
@viewer.bind_key("g")
def compute(viewer):
    until, total = time.monotonic() + 60, 0
    while time.monotonic() < until:
        total += sum(range(1000))
    picture.name = "computed"
napari.run()
"""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_minute_of_python_in_the_main_thread_is_waited_for(tmp_path: Path, connect: Connect) -> None:
    with started(tmp_path, LONG) as server:
        viewer = connect(server)
        host, states, told = viewer._session._host, list[str | None](), list[str]()
        host.show_state, host.notify = states.append, told.append
        keyboard = KeymapHandler()
        keyboard.keymap_providers = [viewer]
        wait_for(viewer, lambda: "G" in map(str, viewer.keymap))
        keyboard.press_key("g")
        wait_for(viewer, lambda: bool(states))
        viewer.layers[0].gamma = 0.5  # what is set meanwhile is not given up
        with pytest.raises(ConnectError, match=r"^no scene within 6 s: work\.py is at line \d+, for \d+ s now: "):
            napari_cuda.connect(server.connect_url, window=False, timeout_s=6)
        wait_for(viewer, lambda: viewer.layers[0].name == "computed", timeout_s=120)
        viewer.sync(30)
        assert viewer.layers[0].gamma == 0.5
        wait_for(viewer, lambda: states[-1] is None)
        states.pop()
        assert len(states) > 50, "it is said again while it lasts"
        assert all(state is not None and state.startswith("work.py is at line ") for state in states)
        assert told == []
        assert viewer.metrics.counts()["connections_lost"] == 0


THREADED = """
import subprocess, threading
print(subprocess.run([sys.executable, "-c", "print('from a process')"], capture_output=True, text=True).stdout)
def work():
    time.sleep(4)
    print("from a thread", file=sys.stderr)
threading.Thread(target=work).start()
"""


@pytest.mark.slow
def test_a_script_ends_when_its_threads_do(tmp_path: Path) -> None:
    with started(tmp_path, WAITING + THREADED) as server:
        go = threading.Timer(3.0, (tmp_path / "go").touch)
        go.start()
        with pytest.raises(ConnectError, match=r"^work\.py has ended$"):
            napari_cuda.connect(server.connect_url, window=False, timeout_s=60)
        go.join()
        assert ended(server) == 0
        assert "from a process" in server.log() and "from a thread" in server.log()


SEVERAL = """
import napari
import numpy as np
from napari.utils.notifications import show_info
a, b = napari.Viewer(), napari.Viewer()
a.add_image(np.eye(8), name="of a")
b.add_labels(np.eye(9, dtype=int), name="of b")
assert napari.current_viewer() is b
b.bind_key("g", lambda viewer: a.window.activate())
a.bind_key("g", lambda viewer: b.window.activate())
b.bind_key("j", lambda viewer: 1 / 0)
b.bind_key("i", lambda viewer: show_info("three cells"))
for viewer in (a, b):
    viewer.bind_key("q", lambda viewer: viewer.close())
napari.run()
print("and then")
"""


def test_viewers_of_one_script_are_shown_in_turn(tmp_path: Path, connect: Connect) -> None:
    (tmp_path / "several.py").write_text(SEVERAL)
    with run_script(tmp_path / "several.py") as server:
        viewer = connect(server)
        told: list[str] = []
        viewer._session._host.notify = told.append

        def press(key: str) -> None:
            keyboard = KeymapHandler()
            keyboard.keymap_providers = [viewer]
            wait_for(viewer, lambda: key.upper() in map(str, viewer.keymap))
            keyboard.press_key(key)
            keyboard.release_key(key)

        def shows(name: str) -> bool:
            return [layer.name for layer in viewer.layers] == [name]

        wait_for(viewer, lambda: shows("of b"))
        state, ask = viewer._session.loop.state, viewer._session.mirror.command
        wait_for(viewer, lambda: len(state.viewers.viewers) == 2)
        assert state.viewers == m.ScriptViewers([m.ScriptViewer("1", "napari"), m.ScriptViewer("2", "napari")], "2")
        ask("script.show_viewer", viewer="1")
        wait_for(viewer, lambda: shows("of a") and state.viewers.shown == "1")
        ask("script.show_viewer", viewer="2")
        wait_for(viewer, lambda: shows("of b") and state.viewers.shown == "2")
        ask("script.show_viewer", viewer="3")
        wait_for(viewer, lambda: told.pop() == "this viewer has been closed" if told else False)
        press("j")
        press("i")
        wait_for(viewer, lambda: len(told) == 2)
        told.sort()
        assert told[0] == "three cells"
        assert told[1].endswith("what is bound to J failed: ZeroDivisionError: division by zero")
        of_b = viewer.screenshot()
        press("g")
        wait_for(viewer, lambda: shows("of a"))
        assert viewer.screenshot().tolist() != of_b.tolist()
        press("g")
        wait_for(viewer, lambda: shows("of b"))
        assert viewer.screenshot().tolist() == of_b.tolist()
        press("q")
        wait_for(viewer, lambda: shows("of a"))
        assert state.viewers == m.ScriptViewers([m.ScriptViewer("1", "napari")], "1")
        press("q")
        assert ended(server) == 0
        assert "and then" in server.log()
        wait_for(viewer, lambda: viewer._session.loop.state.ended == "several.py has ended")


POOLED = """
import multiprocessing, threading
import napari
import numpy as np
def double(value):
    return 2 * value
if __name__ == "__main__":
    viewer = napari.Viewer()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        sizes = pool.map(double, [4, 5])
    made = []
    thread = threading.Thread(target=lambda: made.extend(np.eye(size) for size in sizes))
    thread.start()
    thread.join()
    for picture in made:
        viewer.add_image(picture, name=str(picture.shape[0]))
    napari.run()
"""


@pytest.mark.slow
def test_processes_and_threads_of_a_script_do_as_under_python(tmp_path: Path, connect: Connect) -> None:
    (tmp_path / "pooled.py").write_text(POOLED)
    with run_script(tmp_path / "pooled.py") as server:
        viewer = connect(server)
        wait_for(viewer, lambda: [layer.name for layer in viewer.layers] == ["8", "10"])


WINDOW = """
import napari
import numpy as np
from napari.utils import progress
from qtpy.QtWidgets import QLabel
viewer = napari.Viewer()
viewer.add_image(np.eye(20))
label = QLabel("hello")
viewer.window.add_dock_widget(label, name="greeting", area="bottom")
assert viewer.window.dock_widgets["greeting"] is label
whole = viewer.screenshot(canvas_only=False, flash=False)
assert whole.std() > 1 and whole.shape[0] > viewer.screenshot(flash=False).shape[0]
viewer.window._status_bar._toggle_activity_dock(True)
assert list(progress(range(3))) == [0, 1, 2]
viewer.window.plugins_menu.addAction("mine")
assert viewer.window._qt_viewer.layerButtons and viewer.window._qt_viewer.controls and viewer.window._qt_viewer.layers
viewer.window.resize(300, 200)
assert viewer.screenshot(flash=False).shape == (200, 300, 4)
viewer.update_console({"a": 1})
viewer.window.remove_dock_widget("all")
viewer.close()
assert napari.current_viewer() is None
napari.run()
try:
    viewer.window.show()
except RuntimeError:
    print("as in napari")
"""


@pytest.mark.slow
def test_a_script_s_window_has_what_napari_s_has(tmp_path: Path) -> None:
    (tmp_path / "window.py").write_text(WINDOW)
    with run_script(tmp_path / "window.py") as server:
        assert ended(server) == 0, server.log()
        assert "as in napari" in server.log()


def test_an_interrupt_ends_a_script_in_order(tmp_path: Path, connect: Connect) -> None:
    text = (
        WAITING.replace("while not", "while False and not")
        + "try:\n    napari.run()\nfinally:\n    print('cleaned up')\n"
    )
    with started(tmp_path, text) as server:
        viewer = connect(server)
        assert server._process is not None
        server._process.terminate()
        assert ended(server) == 0
        assert "cleaned up" in server.log()
        wait_for(viewer, lambda: viewer._session.loop.state.ended == "work.py has ended")


# --- from the real window -----------------------------------------------------------------


@pytest.fixture(scope="module")
def keys() -> Iterator[StreamedViewer]:
    with run_script(EXAMPLES / "key_bindings.py") as server, connected_window(server) as window:
        yield window


def says(window: StreamedViewer) -> str:
    text: str = window.canvas.overlays.text.text
    return text


def test_keys_that_a_script_bound_reach_it_from_the_window(keys: StreamedViewer) -> None:
    canvas = qt(keys).canvas.native
    layer = keys.layers["ramp"]
    assert pump_until(keys, lambda: bool(keys.keymap))
    QTest.keyPress(canvas, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert pump_until(keys, lambda: says(keys) == "held")
    QTest.keyRelease(canvas, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert pump_until(keys, lambda: says(keys) == "let go")
    QTest.keyClick(canvas, Qt.Key.Key_I)
    assert pump_until(keys, lambda: layer.colormap.name == "gray_r")
    QTest.keyClick(canvas, Qt.Key.Key_B, Qt.KeyboardModifier.ShiftModifier)
    assert pump_until(keys, lambda: layer.gamma == 0.5)


def test_what_is_typed_into_a_field_is_nobody_s_key(keys: StreamedViewer) -> None:
    assert pump_until(keys, lambda: bool(keys.layers["ramp"].keymap))
    before = keys.layers["ramp"].colormap.name
    field = QLineEdit(qt(keys))
    field.show()
    QTest.keyClicks(field, "iii")
    keys.sync(30)
    assert field.text() == "iii"
    assert keys.layers["ramp"].colormap.name == before
    field.deleteLater()


@pytest.fixture(scope="module")
def mouse() -> Iterator[StreamedViewer]:
    with run_script(EXAMPLES / "mouse_callbacks.py") as server, connected_window(server) as window:
        assert pump_until(window, lambda: window._session.mirror.input.pointer == {"drag", "move", "wheel", "double"})
        yield window


def test_mouse_callbacks_of_a_script_see_a_drag_and_the_camera_moves_here(mouse: StreamedViewer) -> None:
    before = mouse.scene.camera.center
    send_mouse(mouse, "press", 200, 200, button=1, buttons=[1])
    for step in range(1, 6):
        send_mouse(mouse, "move", 200 + step, 200, button=0, buttons=[1])
    send_mouse(mouse, "release", 205, 200, button=1, buttons=[])
    assert pump_until(mouse, lambda: says(mouse) == "a drag of 5 moves")
    assert mouse.scene.camera.center != before


def test_wheel_and_double_click_reach_callbacks_once(mouse: StreamedViewer) -> None:
    canvas, at = qt(mouse).canvas.native, QPointF(200, 200)
    zoom = mouse.scene.camera.zoom
    none = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(
        canvas,
        QWheelEvent(
            at, canvas.mapToGlobal(at), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, none,
            Qt.ScrollPhase.NoScrollPhase, False,
        ),
    )  # fmt: skip
    assert pump_until(mouse, lambda: abs(mouse.layers["board"].opacity - 0.9) < 1e-6)
    zoomed = mouse.scene.camera.zoom
    assert zoomed > zoom
    send_mouse(mouse, "double", 200, 200, button=1, buttons=[1])
    send_mouse(mouse, "release", 200, 200, button=1, buttons=[])
    assert pump_until(mouse, lambda: says(mouse) == "marks: 1")
    mouse.sync(30)
    # napari's own zoom on a double click happened once, here, and not on the server as well.
    assert mouse.scene.camera.zoom == pytest.approx(2 * zoomed)
