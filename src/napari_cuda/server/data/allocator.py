"""The C library's allocator, told to give large blocks back. The only place that calls it by name."""

from __future__ import annotations

import ctypes
import platform

LARGE_BYTES = 262_144
"""A block of at least this much has pages of its own, which the system has back when it is freed."""

_M_MMAP_THRESHOLD = -3  # malloc.h of glibc


def give_large_blocks_back() -> bool:
    """Have freed blocks of LARGE_BYTES and more leave the process; False where the allocator is not glibc's.

    By itself glibc does so only until the first of them is freed: it then takes blocks of that size from its heaps, and
    chunks and slices that come and go on many threads leave holes that nothing fits in, as much again as is kept.
    For the whole process, and for good.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES))
