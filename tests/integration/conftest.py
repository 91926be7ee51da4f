"""Fixtures of the tests that open a real window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gl_window import Window


@pytest.fixture(scope="module")
def shared_window() -> Iterator[Window]:
    """One napari window for all tests of a module: opening one takes seconds."""
    window = Window()
    yield window
    window.close()


@pytest.fixture
def window(shared_window: Window) -> Iterator[Window]:
    """The module's window without layers, overlays, or video."""
    shared_window.frame = shared_window.destination = None
    shared_window.settle()
    yield shared_window
    shared_window.viewer.layers.clear()
    shared_window.viewer.canvas.overlays.scale_bar.visible = False
    shared_window.viewer.dims.ndisplay = 2
