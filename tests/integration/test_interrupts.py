"""Remote menu of a script: its viewers, and what keeps the server is interrupted, as by Ctrl+C, and goes on after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from napari._qt.widgets.qt_progress_bar import QtLabeledProgressBar
from napari.utils.key_bindings import KeymapHandler
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_cuda
from integration.conftest import Connect, connected_window
from integration.test_scripts import ended
from integration.test_window import pump_until, qt
from integration.test_window_furniture import banner, entries
from napari_cuda.client.config import ClientConfig
from napari_cuda.client.net.file_service import FileService
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.protocol.errors import ConnectError, DataError
from napari_cuda.protocol.roles import VIEW_ONLY
from napari_cuda.server.interrupts import NOTHING_TO_INTERRUPT
from napari_cuda.server_process import ServerProcess
from served_script import run_script, wait_for

CALLBACKS = """
import time
import napari
import numpy as np
from napari.qt.threading import thread_worker
from napari.utils import cancelable_progress
from qtpy.QtCore import QTimer
def count():
    total = 0
    while True:
        total += 1
other = napari.Viewer(title="maps")
other.add_labels(np.eye(9, dtype=int), name="other")
viewer = napari.Viewer(title="cells & more")
layer = viewer.add_image(np.eye(8), name="first")
@viewer.bind_key("b")
def counts(viewer):
    count()
@viewer.bind_key("n")
def adds(viewer):
    layer.name = "goes on"
@thread_worker(progress={"total": 400, "desc": "counting cells"})
def in_steps():
    for step in range(400):
        time.sleep(0.05)
        yield step
@viewer.bind_key("w")
def works(viewer):
    worker = in_steps()
    worker.aborted.connect(lambda: setattr(layer, "name", "cancelled"))
    worker.start()
@viewer.bind_key("l")
def loops(viewer):
    for _ in cancelable_progress(range(400), desc="in the main thread"):
        time.sleep(0.05)
    layer.name = "ended early"
@viewer.bind_key("p")
def pauses(viewer):
    time.sleep(600)
@viewer.bind_key("h")
def has_a_handler(viewer):
    try:
        count()
    except KeyboardInterrupt:
        layer.name = "handled"
@viewer.bind_key("t")
def later(viewer):
    QTimer.singleShot(0, count)
@viewer.bind_key("e")
def by_an_event(viewer):
    layer.events.gamma.connect(count)
    layer.gamma = 0.5
napari.run()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    script = tmp_path_factory.mktemp("scripts") / "work.py"
    script.write_text(CALLBACKS)
    with run_script(script) as server:
        yield server


@pytest.fixture(scope="module")
def window(server: ServerProcess) -> Iterator[StreamedViewer]:
    with connected_window(server) as window:
        yield window


def test_the_window_interrupts_a_callback_and_shows_where_it_was(window: StreamedViewer) -> None:
    host = window._session._host
    interrupts = entries(host.furniture.menu.menu)["Interrupt the Script"]
    button = host.facade._overlay._interrupt
    assert not interrupts.isEnabled() and not button.isVisible()
    assert pump_until(window, lambda: bool(window.keymap))
    said = len(notification_manager.records)
    QTest.keyClick(qt(window).canvas.native, Qt.Key.Key_B)
    assert pump_until(window, lambda: banner(window).startswith("work.py is at line "))
    assert button.isVisible()
    entries(host.furniture.menu.menu)
    assert interrupts.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert pump_until(window, lambda: banner(window) == "" and len(notification_manager.records) > said)
    assert not button.isVisible()
    QTest.keyClick(qt(window).canvas.native, Qt.Key.Key_N)
    assert pump_until(window, lambda: window.layers[0].name == "goes on")
    window.sync(30)
    (told,) = [record.message for record in notification_manager.records[said:]]
    assert told.startswith("work.py was interrupted, and the server goes on:\n")
    assert 'work.py", line 18, in counts\n    count()\n' in told
    assert told.endswith("KeyboardInterrupt") and "napari_cuda" not in told


def test_a_viewer_of_the_script_is_chosen_in_the_menu(window: StreamedViewer) -> None:
    menu = window._session._host.furniture.menu.menu

    def choices() -> dict[str, bool]:
        submenu = entries(menu)["Viewer"].menu()
        assert submenu.isEnabled()
        return {action.text(): action.isChecked() for action in submenu.actions()}

    assert choices() == {"1: maps": False, "2: cells && more": True}
    before = window.exact_screenshot()
    entries(menu)["Viewer"].menu().actions()[0].trigger()
    assert pump_until(window, lambda: [layer.name for layer in window.layers] == ["other"])
    assert choices() == {"1: maps": True, "2: cells && more": False}
    assert (window.exact_screenshot() != before).any()
    entries(menu)["Viewer"].menu().actions()[1].trigger()
    assert pump_until(window, lambda: [layer.name for layer in window.layers] != ["other"])
    assert (window.exact_screenshot() == before).all()


@pytest.mark.parametrize(
    ("key", "title", "after"),
    [(Qt.Key.Key_W, "counting cells", "cancelled"), (Qt.Key.Key_L, "in the main thread", "ended early")],
)
def test_progress_of_the_script_is_in_the_activity_dock_and_is_cancelled_there(
    window: StreamedViewer, key: Qt.Key, title: str, after: str
) -> None:
    dock = window.window._qt_window._activity_dialog

    def bars() -> list[QtLabeledProgressBar]:
        return [
            bar for bar in dock.findChildren(QtLabeledProgressBar) if bar.description_label.text().startswith(title)
        ]

    QTest.keyClick(qt(window).canvas.native, key)
    assert pump_until(window, lambda: bool(bars()) and bars()[0].qt_progress_bar.value() > 0)
    (bar,) = bars()
    assert bar.qt_progress_bar.value() < bar.qt_progress_bar.maximum()
    bar.cancel_button.click()
    assert pump_until(window, lambda: not bars() and window.layers[0].name == after)


def test_there_must_be_something_to_interrupt_and_the_right_to(window: StreamedViewer, server: ServerProcess) -> None:
    window.sync(30)
    with pytest.raises(DataError, match=f"^{NOTHING_TO_INTERRUPT}$"):
        FileService(ClientConfig.from_url(server.connect_url)).interrupt()
    with pytest.raises(DataError) as refused:
        FileService(ClientConfig.from_url(server.view_url)).interrupt()
    assert str(refused.value) == VIEW_ONLY


@pytest.mark.slow
@pytest.mark.parametrize("key", ["p", "h", "t", "e"])
def test_what_sleeps_handles_it_or_was_called_by_qt_is_interrupted_too(
    server: ServerProcess, connect: Connect, key: str
) -> None:
    viewer = connect(server)
    told: list[str] = []
    viewer._session._host.notify = told.append
    state = viewer._session.loop.state
    keyboard = KeymapHandler()
    keyboard.keymap_providers = [viewer]
    wait_for(viewer, lambda: key.upper() in map(str, viewer.keymap))
    keyboard.press_key(key)
    wait_for(viewer, lambda: bool(state.busy))
    viewer._session.interrupt()
    wait_for(viewer, lambda: not state.busy)
    viewer.sync(30)
    if key == "h":
        wait_for(viewer, lambda: viewer.layers[0].name == "handled")
        assert told == []
    else:
        (line,) = told
        assert line.splitlines()[0] == "work.py was interrupted, and the server goes on:"


BODY = """
import napari
import numpy as np
try:
    while True:
        pass
except KeyboardInterrupt:
    pass
napari.Viewer().add_image(np.eye(8), name="after the first")
while True:
    pass
"""


@pytest.mark.slow
def test_in_its_own_lines_a_script_is_interrupted_as_under_python(tmp_path: Path) -> None:
    (tmp_path / "body.py").write_text(BODY)
    with run_script(tmp_path / "body.py") as server:
        ask = FileService(ClientConfig.from_url(server.connect_url))
        with pytest.raises(ConnectError, match=r"^no scene within 6 s: body\.py is at line (5|6), for \d+ s now: "):
            napari_cuda.connect(server.connect_url, window=False, timeout_s=6)
        ask.interrupt()
        with pytest.raises(ConnectError, match=r"^no scene within 6 s: body\.py is at line (10|11), for \d+ s now: "):
            napari_cuda.connect(server.connect_url, window=False, timeout_s=6)
        ask.interrupt()
        assert ended(server) == 130
