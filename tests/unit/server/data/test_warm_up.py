"""What reading takes is imported ahead."""

from __future__ import annotations

import sys
import threading

import pytest

from napari_cuda.server.data import warm_up


def test_a_server_that_ends_at_once_imports_nothing() -> None:
    stop = threading.Event()
    stop.set()
    before = set(sys.modules)
    warm_up.warm_up(stop)
    assert set(sys.modules) == before


def test_everything_named_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_up, "AFTER_S", 0.0)
    warm_up.warm_up(threading.Event())
    assert set(warm_up.SLOW) <= set(sys.modules)
