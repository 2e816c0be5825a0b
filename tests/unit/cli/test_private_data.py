from __future__ import annotations

import os
from pathlib import Path

import datasets
import pandas as pd
import pytest

from fednet.cli import private_data
from fednet.cli.app import App
from fednet.errors import DataError
from fednet.learning.partition import hospitals


@pytest.fixture
def app(tmp_path: Path) -> App:
    (tmp_path / "home").mkdir()
    return App(tmp_path / "home")


def test_a_folder_is_data_like_a_file(app: App, tmp_path: Path) -> None:
    paths, _ = hospitals(2).write(tmp_path / "records")
    datasets.disable_progress_bars()
    saved = datasets.Dataset.from_pandas(pd.read_csv(paths[1]))
    saved.save_to_disk(tmp_path / "saved", num_shards=2)
    file = private_data.choose(app, paths[1], "breast-cancer")
    folder = private_data.choose(app, tmp_path / "saved", "breast-cancer")
    assert private_data.inspect(app, folder) == private_data.inspect(app, file)
    assert private_data.salted(app, folder.path).commitment() != (
        private_data.salted(app, file.path).commitment()
    )


@pytest.mark.parametrize("kind", ["file", "folder", "pipe", "none"])
def test_what_holds_nothing_is_refused(app: App, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "data"
    if kind == "file":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(DataError):
        private_data.choose(app, path, "breast-cancer")
