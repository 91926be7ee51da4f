"""What each stage costs alone for a scene of `scenes.py`: `stages_alone.py SCENE STEP FRAMES`, run headless.

As `napari-cuda bench` measures its own scenes. Prints one JSON object: seconds a frame, means.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from napari.components import ViewerModel

from napari_cuda import workloads
from napari_cuda.bench.alone import stage_seconds

sys.path.insert(0, str(Path(__file__).parent))
from headless_process import run_headless
from scenes import SCENES

CHAIN = ("render", "encode", "decode")
"""The stages that every moving picture passes."""


def measure(config: Path, scene: str, step: str, frames: int = 80) -> dict[str, float]:
    """Run this script in a process of its own; seconds of the stages of CHAIN."""
    done = run_headless(config, Path(__file__), scene, step, str(frames))
    if done.returncode:
        raise RuntimeError(f"{Path(__file__).name} failed:\n{done.stderr[-3000:]}")
    alone = json.loads(done.stdout)
    return {stage: alone[stage] for stage in CHAIN}


def main(scene: str, step: str, frames: str) -> None:
    viewer = ViewerModel()
    SCENES[scene](viewer)
    viewer.dims.ndisplay = 3 if step == "mip3d" else 2
    alone = stage_seconds(viewer, viewer.reset_view, partial(workloads.STEPS[step], viewer), (1280, 720), int(frames))
    print(json.dumps(alone))


if __name__ == "__main__":
    main(*sys.argv[1:])
