from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Deployment, Modules
from fednet.errors import SettingsError
from fednet.node.journal import Journal
from fednet.node.view import Vote
from tests.unit.node.views import attempt_key, pledge_of, proposal_key

RUN = RunId(3)
NOBODY = Address("0x" + "00" * 20)
NO_MODULES = Modules(NOBODY, NOBODY, NOBODY, NOBODY)


def deployment(genesis: int = 1) -> Deployment:
    digest = Digest(bytes([genesis]) * 32)
    return Deployment(31337, digest, 0, *(NOBODY,) * 6, NO_MODULES, ())


Open = Callable[..., Journal]


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Open]:
    journals: list[Journal] = []

    def reopen(genesis: int = 1, site: int = 1) -> Journal:
        while journals:
            journals.pop().close()
        journals.append(Journal(tmp_path / "journal", deployment(genesis), SiteId(site)))
        return journals[0]

    yield reopen
    while journals:
        journals.pop().close()


def test_journal_remembers_everything_over_a_restart(reopen: Open) -> None:
    journal, state = reopen(), Commitment.of(b"state")
    journal.pledge(RUN, attempt_key(), pledge_of(1))
    journal.publish(RUN, attempt_key())
    journal.intend(RUN, proposal_key(), frozenset({SiteId(4), SiteId(2)}))
    journal.vote(RUN, proposal_key(), Vote(True, Digest(b"\x01" * 32)), state)
    journal.vote(RUN, proposal_key(2), Vote(False, Digest(b"\x02" * 32)))
    journal.verify(RUN, proposal_key(2), state)
    journal.preserve(RUN, RoundNumber(1))
    before = journal.notes(RUN)
    notes = reopen().notes(RUN)
    assert notes == before
    assert notes.pledges == {attempt_key(): pledge_of(1)}
    assert notes.published == {attempt_key()}
    assert notes.intents == {proposal_key(): {SiteId(2), SiteId(4)}}
    assert notes.votes[proposal_key(2)] == Vote(False, Digest(b"\x02" * 32))
    assert notes.verified == {proposal_key(): state, proposal_key(2): state}
    assert notes.preserved == {1}


def test_journal_cuts_off_a_torn_last_line_at_every_byte(reopen: Open) -> None:
    journal = reopen()
    journal.pledge(RUN, attempt_key(1), pledge_of(1))
    whole = journal.path.stat().st_size
    journal.pledge(RUN, attempt_key(2), pledge_of(1, 2))
    data = journal.path.read_bytes()
    for size in range(whole, len(data)):
        journal.path.write_bytes(data[:size])
        journal = reopen()
        assert set(journal.notes(RUN).pledges) == {attempt_key(1)}
        assert journal.path.stat().st_size == whole
    journal.pledge(RUN, attempt_key(3), pledge_of(1, 3))
    assert set(reopen().notes(RUN).pledges) == {attempt_key(1), attempt_key(3)}


@pytest.mark.parametrize("place", [0.0, 0.3, 0.9])
def test_journal_refuses_to_open_when_a_promise_was_altered(reopen: Open, place: float) -> None:
    journal = reopen()
    for number in (1, 2):
        journal.pledge(RUN, attempt_key(number), pledge_of(1, number))
    data = bytearray(journal.path.read_bytes())
    data[int(len(data) * place)] ^= 1
    journal.path.write_bytes(data)
    with pytest.raises(SettingsError, match="damaged"):
        reopen()


def test_journal_lets_one_process_in(reopen: Open, tmp_path: Path) -> None:
    reopen()
    with pytest.raises(SettingsError, match="another node process"):
        Journal(tmp_path / "journal", deployment(), SiteId(1))


def test_journal_of_another_chain_or_site_is_another(reopen: Open) -> None:
    reopen().pledge(RUN, attempt_key(), pledge_of(1))
    assert not reopen(genesis=2).notes(RUN).pledges
    assert not reopen(site=2).notes(RUN).pledges
    assert reopen().notes(RUN).pledges


def test_journal_of_a_killed_process_opens_with_what_it_had_promised(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from fednet.domain.identity import RunId, SiteId
from fednet.node.journal import Journal
from tests.unit.node.test_journal import deployment
from tests.unit.node.views import attempt_key, pledge_of
journal = Journal(Path(sys.argv[1]), deployment(), SiteId(1))
number = 0
while True:
    number += 1
    journal.pledge(RunId(3), attempt_key(number), pledge_of(1, number))
    print(number, flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert process.stdout is not None
    promised = [int(process.stdout.readline()) for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    promised += [int(line) for line in process.stdout.read().splitlines()]
    process.wait()
    process.stdout.close()
    journal = Journal(tmp_path, deployment(), SiteId(1))
    try:
        pledges = journal.notes(RUN).pledges
        assert all(pledges[attempt_key(n)] == pledge_of(1, n) for n in promised)
    finally:
        journal.close()
