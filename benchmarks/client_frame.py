"""What a frame costs the GUI thread: `python benchmarks/client_frame.py [--frames N] [--profile]`.

Decoded 1920x1080 pictures of a real encoder are shown in the real napari window, each waited for;
decoding is not counted. CPU time of the GUI thread per frame, median over blocks of frames.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import statistics
import sys
import time
from pathlib import Path

os.environ["NAPARI_CONFIG"] = ""  # the window's size is not for keeping
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from offline_window import OfflineWindow, decoded
from pictures import noisy_pan

SIZE = (1920, 1080)
BLOCK = 50
"""Frames per sample: the clock of CPU time is coarse."""


def main() -> None:
    """Show frames, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--canvas", type=int, nargs=2, default=(1063, 807), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    pictures = decoded(noisy_pan(8, SIZE))
    window = OfflineWindow(tuple(options.canvas))
    profile = cProfile.Profile()
    samples_ms = []
    try:
        for block in range(options.frames // BLOCK + 1):
            began_s = time.thread_time()
            if options.profile and block:
                profile.enable()
            for index in range(BLOCK):
                if not window.show(pictures[index % len(pictures)], SIZE):
                    raise SystemExit("a frame was not shown within 10 s")
            profile.disable()
            samples_ms.append((time.thread_time() - began_s) / BLOCK * 1e3)
        stages = {name: stats.p50_s * 1e3 for name, stats in window.loop.metrics.stages().items()}
    finally:
        window.close()
    # The first block includes the shader's compilation.
    print(json.dumps({"gui_cpu_ms": statistics.median(samples_ms[1:]), "blocks_ms": samples_ms, "stages_ms": stages}))
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
