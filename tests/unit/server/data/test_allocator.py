"""What is freed between what is kept leaves the process, and does not without being asked to."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import numpy as np, psutil
from napari_cuda.server.data.allocator import LARGE_BYTES, give_large_blocks_back

def resident():
    return psutil.Process().memory_info().rss

np.ones(4 * LARGE_BYTES, np.uint8)  # as any program does: from now on glibc takes them from its heap
if sys.argv[1] == "asked":
    assert give_large_blocks_back()
before = resident()
blocks = [np.ones(LARGE_BYTES, np.uint8) for _ in range(400)]
full = resident() - before
del blocks[::2]
print((resident() - before) / full)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator, which is left as it is")
@pytest.mark.parametrize(("word", "least", "most"), [("asked", 0.4, 0.6), ("not asked", 0.9, 1.1)])
def test_every_other_of_many_large_blocks_goes_back(word: str, least: float, most: float) -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM, word], capture_output=True, text=True, check=True, timeout=60)
    assert least <= float(ran.stdout) <= most
