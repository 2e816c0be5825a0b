from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.ledger import Inclusion
from fednet.domain.tensors import FloatArray
from fednet.errors import SettingsError
from fednet.node.keepsakes import FOLDER, Keepsakes, Kept
from tests.unit.node.views import Chain, attempt_key, commitment_of

SITE = 2


def arrays(value: float) -> dict[str, FloatArray]:
    return {"control/weight": np.full((2, 3), value, np.float32)}


def final_round(chain: Chain, number: int, attempt: int = 1, **verdicts: Inclusion) -> Chain:
    chain.start(number, attempt).submit(1, SITE, 3).close().propose(1, **verdicts)
    return chain.attest(1, 3).finalize()


def left(folder: Path, chain: Chain, number: int, value: float, attempt: int = 1) -> None:
    Keepsakes(folder, SiteId(SITE)).keep(
        attempt_key(number, attempt),
        commitment_of(SITE, number, attempt),
        Kept(arrays(value), {"accuracy": "0.5"}),
        chain.view().history,
    )


def found(folder: Path, chain: Chain, before: int) -> float | None:
    kept = Keepsakes(folder, SiteId(SITE)).latest(chain.view().history, RoundNumber(before))
    return float(kept.arrays["control/weight"][0, 0]) if kept.arrays else None


def test_what_an_included_update_left_is_found_in_the_next_round(tmp_path: Path) -> None:
    chain = Chain()
    left(tmp_path, chain.start(1), 1, 1.5)
    chain.submit(1, SITE, 3).close().propose(1).attest(1, 3).finalize()
    kept = Keepsakes(tmp_path, SiteId(SITE)).latest(chain.view().history, RoundNumber(2))
    assert kept.round == 1
    assert kept.metrics == {"accuracy": "0.5"}
    np.testing.assert_array_equal(kept.arrays["control/weight"], arrays(1.5)["control/weight"])
    assert found(tmp_path, chain, before=1) is None


@pytest.mark.parametrize("verdict", [Inclusion.INVALID, Inclusion.UNAVAILABLE])
def test_what_an_excluded_update_left_does_not_count(tmp_path: Path, verdict: Inclusion) -> None:
    chain = final_round(Chain(), 1)
    left(tmp_path, chain, 1, 1.0)
    chain.start(2)
    left(tmp_path, chain, 2, 2.0)
    chain.submit(1, SITE, 3).close().propose(1, s2=verdict).attest(1, 3).finalize()
    assert found(tmp_path, chain, before=3) == 1.0


def test_an_attempt_that_did_not_become_final_leaves_nothing(tmp_path: Path) -> None:
    chain = final_round(Chain(), 1)
    left(tmp_path, chain, 1, 1.0)
    chain.start(2)
    left(tmp_path, chain, 2, 2.0)
    chain.submit(SITE).close().start(2, attempt=2)
    assert found(tmp_path, chain, before=2) == 1.0
    left(tmp_path, chain, 2, 3.0, attempt=2)
    chain.submit(1, SITE, 3).close().propose(1).attest(1, 3).finalize()
    assert found(tmp_path, chain, before=3) == 3.0


def test_a_round_that_the_site_missed_leaves_the_earlier_one_standing(tmp_path: Path) -> None:
    chain = final_round(Chain(), 1)
    left(tmp_path, chain, 1, 1.0)
    chain.start(2).submit(1, 3).close().propose(1).attest(1, 3).finalize()
    assert found(tmp_path, chain, before=3) == 1.0


def test_another_update_of_the_same_attempt_does_not_count(tmp_path: Path) -> None:
    # The node died after it had kept these and before it journalled the update.
    chain = final_round(Chain(), 1)
    Keepsakes(tmp_path, SiteId(SITE)).keep(
        attempt_key(1), commitment_of(99), Kept(arrays(9.0)), Chain().start(1).view().history
    )
    assert found(tmp_path, chain, before=2) is None


@pytest.mark.parametrize("damage", ["lost", "cut", "bit", "other"])
def test_a_damaged_file_is_as_none(tmp_path: Path, damage: str) -> None:
    chain = final_round(Chain(), 1)
    left(tmp_path, chain, 1, 1.0)
    path = tmp_path / FOLDER / "1-1.safetensors"
    data = bytearray(path.read_bytes())
    if damage == "lost":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(data[:-3])
    elif damage == "bit":
        data[-2] ^= 1
        path.write_bytes(data)
    else:
        path.write_bytes(b"something else")
    assert found(tmp_path, chain, before=2) is None


def test_files_that_can_no_longer_count_are_removed(tmp_path: Path) -> None:
    chain = Chain()
    for number in range(1, 6):
        chain.start(number)
        left(tmp_path, chain, number, float(number))
        chain.submit(1, SITE, 3).close().propose(1).attest(1, 3).finalize()
    assert found(tmp_path, chain, before=6) == 5.0
    names = sorted(path.name for path in (tmp_path / FOLDER).iterdir())
    assert names == ["4-1.safetensors", "5-1.safetensors"]


def test_nothing_to_keep_makes_no_folder(tmp_path: Path) -> None:
    Keepsakes(tmp_path, SiteId(SITE)).keep(
        attempt_key(1), commitment_of(SITE), Kept(), Chain().start(1).view().history
    )
    assert not list(tmp_path.iterdir())


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    left(tmp_path, Chain().start(1), 1, 1.0)
    assert (tmp_path / FOLDER).stat().st_mode & 0o077 == 0


def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(SettingsError, match="cannot"):
        left(tmp_path, Chain().start(1), 1, 1.0)


_WRITER = """
import sys
from pathlib import Path
from tests.unit.node.test_keepsakes import Chain, left
chain = Chain().start(1)
value = 0.0
while True:
    value += 1
    left(Path(sys.argv[1]), chain, 1, value)
    print(value, flush=True)
"""


def test_killed_at_any_moment_the_file_is_whole(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for _ in range(20):
        last = float(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    said = [last, *map(float, writer.stdout.read().split())]
    writer.wait()
    writer.stdout.close()
    chain = final_round(Chain(), 1)
    value = found(tmp_path, chain, before=2)
    assert value is not None
    assert said[-1] <= value <= said[-1] + 1
