"""Data commands: what is written for a download, and what is left of it when nobody fetches it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from napari.plugins import _initialize_plugins

from command_stage import CommandStage
from napari_cuda.server.data.roots import ServedRoots
from napari_cuda.server.data.session_files import MOST_DOWNLOADS, SessionFiles
from napari_cuda.server.render.data_commands import register_data_commands


@pytest.fixture(scope="module")
def stage() -> Iterator[CommandStage]:
    _initialize_plugins()
    stage = CommandStage()
    yield stage
    stage.jobs.close()


@pytest.fixture
def files(stage: CommandStage) -> Iterator[SessionFiles]:
    files = SessionFiles(1_000_000)
    register_data_commands(stage.commands, stage.bridge, ServedRoots([], files.path), files)
    yield files
    files.close()


@pytest.mark.parametrize("name", ["..", "/", "a/..", "a\nb", "a\0b"])
def test_a_download_has_the_name_of_a_file(stage: CommandStage, files: SessionFiles, name: str) -> None:
    assert "is not a name for a file" in stage.do("data.export", file_name=name, layers=["L1"])


def test_a_download_is_offered_to_who_knows_its_key(stage: CommandStage, files: SessionFiles) -> None:
    assert stage.do("data.export", file_name="../spots.csv", layers=["L3"]) == ""
    stage.run_posted()
    file = files.download(stage.told[-1][1].result["download"])
    assert file is not None
    assert file.name == "spots.csv"
    assert file.is_relative_to(files.path / "downloads")


def test_nothing_is_left_of_a_download_that_does_not_come_about(stage: CommandStage, files: SessionFiles) -> None:
    assert stage.do("data.export", file_name="spots.nothing", layers=["L3"]) == ""
    stage.run_posted()
    assert stage.told[-1][1].state == "failed"
    assert list((files.path / "downloads").iterdir()) == []


def test_the_oldest_download_goes_when_others_come(files: SessionFiles) -> None:
    keys = []
    for number in range(MOST_DOWNLOADS + 1):
        with files.new_folder() as folder:
            (folder / "a.csv").write_text(str(number))
            keys.append(files.offer(folder / "a.csv"))
    assert files.download(keys[0]) is None
    assert len(list((files.path / "downloads").iterdir())) == MOST_DOWNLOADS
    newest = files.download(keys[-1])
    assert newest is not None
    assert newest.read_text() == str(MOST_DOWNLOADS)
