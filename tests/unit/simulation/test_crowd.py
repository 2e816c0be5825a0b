"""What a crowd of virtual sites has in common with real ones, and what it is spared."""

from __future__ import annotations

from pathlib import Path

from fednet.node import SaltedData, create_salt
from fednet.simulation.crowd import UnchangedData


def test_data_that_nobody_touches_is_hashed_once_and_as_ever(tmp_path: Path) -> None:
    path, salt = tmp_path / "records.csv", tmp_path / "salt"
    path.write_text("1,2,3\n", encoding="ascii")
    create_salt(salt)
    data = UnchangedData(path, salt)
    assert data.commitment() == SaltedData(path, salt).commitment()
    path.unlink()
    assert data.commitment() == data.commitment()
