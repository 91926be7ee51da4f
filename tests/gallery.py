"""Run a folder of napari scripts in stock napari and under `napari-cuda run`, and compare the pictures.

By hand, with napari's own examples: `scripts/with-display .venv/bin/python tests/gallery.py FOLDER --work DIR`. One
line of JSON for each script goes to DIR/results.jsonl; what stock napari drew stays in DIR for the next time. Random
numbers are the same on both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from napari_cuda.protocol.errors import NapariCudaError
from served_script import differing, likeness, run_script, served_picture

SIZE = "800x600"
LONGEST_S = 120

_SEEDED = """
import random, secrets
secrets.randbits = lambda bits: 1  # before numpy: what its generators, and dask's, begin with
import numpy.random as npr
random.seed(0); npr.seed(0)
def _seeded(make):
    return lambda seed=None: make(0 if seed is None else seed)
npr.default_rng, npr.seed = _seeded(npr.default_rng), _seeded(npr.seed)
"""

_DOWNLOADS = re.compile(
    r"pooch|fetch_|urlretrieve|https?://\S*\.(zarr|tiff?|h5|nii|csv|mrc)|"
    r"data\.(cells3d|brain|kidney|lily|skin|eagle|human_mitosis|stereo_motorcycle|vortex|protein_transport|palisades)"
)
_DOCKS = re.compile(r"add_dock_widget|add_plugin_dock_widget|magicgui|magic_factory|QWidget|add_function_widget")


def group_of(script: Path) -> str:
    """Return whether a script is of the plain ones, or wants data or widgets."""
    text = script.read_text()
    if _DOWNLOADS.search(text):
        return "data"
    return "docks" if _DOCKS.search(text) else "plain"


def stock(script: Path, work: Path, environment: dict[str, str]) -> str:
    """Draw a script in stock napari, unless that was done; return why there is no picture, if there is none."""
    out, why = work / f"{script.stem}.npy", work / f"{script.stem}.why"
    if not out.exists() and not why.exists():
        runner = Path(__file__).parent / "stock_script.py"
        command = [sys.executable, str(runner), SIZE, str(work), str(script)]
        try:
            done = subprocess.run(
                command, env=environment | {"NAPARI_CONFIG": str(work / "stock.yaml")}, capture_output=True, text=True,
                timeout=LONGEST_S, stdin=subprocess.DEVNULL, cwd=work, check=False,
            )  # fmt: skip
            if not out.exists():
                why.write_text((done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1])
        except subprocess.TimeoutExpired:
            why.write_text(f"never ends ({LONGEST_S} s)")
    return "" if out.exists() else why.read_text()


def compare(script: Path, work: Path) -> dict[str, Any]:
    """Return what became of a script that stock napari drew."""
    expected = np.load(work / f"{script.stem}.npy")
    try:
        with run_script(script, options=["--size", SIZE]) as server:
            try:
                found = served_picture(server, LONGEST_S)
            finally:
                (work / f"{script.stem}.log").write_text(server.log())
    except NapariCudaError as error:
        return {"error": str(error)}
    np.save(work / f"{script.stem}.served.npy", found)
    return {"ssim": round(likeness(found, expected), 5), "differing": differing(found, expected)}


def main() -> None:
    """Compare, print, and sum up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--group", default="plain")
    parser.add_argument("--only", default="", help="scripts with this in their name")
    parser.add_argument("--exact", default="", help="the script of this name, without .py")
    options = parser.parse_args()
    work = options.work.absolute()
    work.mkdir(exist_ok=True)
    (work / "seeded").mkdir(exist_ok=True)
    (work / "seeded" / "sitecustomize.py").write_text(_SEEDED)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(work / "seeded"), os.environ.get("PYTHONPATH", "")]))
    os.environ["XDG_STATE_HOME"] = str(work / "state")
    scripts = [
        script.absolute()
        for script in sorted(options.folder.glob("*.py"))
        if group_of(script) == options.group and options.only in script.stem and options.exact in ("", script.stem)
    ]
    rows = []
    with ThreadPoolExecutor(2) as pool, (work / "results.jsonl").open("a") as results:
        reasons = pool.map(lambda script: stock(script, work, dict(os.environ)), scripts)
        for script, reason in zip(scripts, reasons, strict=True):
            row = {"script": script.name, **({"no reference": reason} if reason else compare(script, work))}
            print(json.dumps(row), flush=True)
            results.write(json.dumps(row) + "\n")
            rows.append(row)
    compared = [row for row in rows if "no reference" not in row]
    alike = [row for row in compared if row.get("ssim", 0) >= 0.99]
    same = [row for row in compared if row.get("differing", 1) == 0]
    print(f"{len(rows)} scripts, {len(compared)} with a reference: {len(alike)} alike, {len(same)} identical")


if __name__ == "__main__":
    main()
