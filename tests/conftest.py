"""What every test gets: napari settings of its own, fixed seeds, no thread left behind.

Owner: pytest's main thread.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings

# napari reads this once, when it is imported, and writes to that file: never the user's own.
_SETTINGS_FOLDER = tempfile.TemporaryDirectory(prefix="napari-cuda-tests-", ignore_cleanup_errors=True)
os.environ["NAPARI_CONFIG"] = str(Path(_SETTINGS_FOLDER.name) / "napari-settings.yaml")
# And `connect` its list of recent connections.
os.environ["XDG_CONFIG_HOME"] = _SETTINGS_FOLDER.name

hypothesis_settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
hypothesis_settings.load_profile("repeatable")

# How long a thread that was told to stop may take until it counts as left behind.
_THREAD_GRACE_S = 5.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`: where the hardware is there, a skipped test is a failure. `--together-seconds`: a longer soak."""
    parser.addoption("--no-skips", action="store_true", help="fail the run if any test is skipped")
    parser.addoption(
        "--together-seconds", type=float, default=45.0, help="how long window, page and notebook act on one session"
    )


def pytest_configure(config: pytest.Config) -> None:
    """End on SIGTERM as on Ctrl-C, so that fixtures stop the servers they started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Turn a skip into a failure under `--no-skips`."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and item.config.getoption("--no-skips"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped, and this run allows no skips: {reason}"


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """The same random numbers in every run, whichever tests run and in whatever order."""
    random.seed(0)
    np.random.seed(0)  # the global generator, which napari and its samples use


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator seeded by the test's own name."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(autouse=True)
def no_thread_left_behind() -> Iterator[None]:
    """Fail a test that leaves one of our threads (`napari-cuda-…`) running."""
    before = set(threading.enumerate())
    yield
    deadline_s = time.monotonic() + _THREAD_GRACE_S
    ours = [t for t in threading.enumerate() if t not in before and t.name.startswith("napari-cuda-")]
    for thread in ours:
        thread.join(max(0.0, deadline_s - time.monotonic()))
    left = sorted(thread.name for thread in ours if thread.is_alive())
    if left:
        pytest.fail(f"threads left behind: {', '.join(left)}; stop them in the test or its fixture")
