"""Flame graphs: what is missing is said in one line; a recorder that runs is waited for."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from napari_cuda.bench.flames import Flames
from napari_cuda.protocol.errors import ConfigError


def test_without_py_spy_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'napari-cuda\[bench\]'"):
        Flames(tmp_path, 1)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: sys.executable)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot make"):
        Flames(tmp_path / "file" / "flames", 1)


def test_each_side_is_recorded_into_a_file_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = tmp_path / "py-spy"
    recorder.write_text(f'#!{sys.executable}\nimport sys\nopen(sys.argv[-1], "w").write(" ".join(sys.argv[1:]))\n')
    recorder.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(recorder))
    flames = Flames(tmp_path / "flames", 2.4)
    flames.begin("zoom-lan", {"server": os.getpid(), "client": 7})
    flames.end()
    told = (tmp_path / "flames" / "zoom-lan-client.svg").read_text()
    assert told.startswith("record ")
    assert "--pid 7" in told
    assert "--duration 2" in told
    assert (tmp_path / "flames" / "zoom-lan-server.svg").is_file()
