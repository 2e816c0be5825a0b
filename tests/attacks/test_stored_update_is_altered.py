"""Somebody changes the stored bytes of an update after its round became final.

Liar: whoever has the disks, all of them at once. Lie: "this is what was
combined". Found by hashing what is served (check 9): the audit never says that
such a round is in order, and accuses nobody of what anybody could have done.
"""

from __future__ import annotations

from pathlib import Path

from fednet.audit import RoundVerdict
from fednet.codec.update import update_size_limit_bytes
from fednet.domain.identity import RoundNumber
from fednet.domain.ledger import Phase
from tests.attacks.network import Network


def alter(folder: Path, content: bytes) -> int:
    """Flip a bit of the content wherever a file below the folder holds it; count the files."""
    altered = 0
    for path in folder.rglob("*"):
        if path.is_file() and content in (data := path.read_bytes()):
            at = data.index(content) + len(content) - 1
            path.chmod(0o600)
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            altered += 1
    return altered


def test_altered_update_is_never_called_right(network: Network) -> None:
    members = network.members()
    with network.open(members, rounds=2) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        victim = run.submissions(2)[members[1].site]
    assert network.audit(run).verified
    limit = update_size_limit_bytes(run.plan)
    path = members[1].store.fetch(victim.commitment, [victim.locator], limit, 30.0)
    content = path.read_bytes()
    stores = [
        alter(network.folder / f"repo {number}", content) for number in range(len(network.kubos))
    ]
    assert sum(stores) >= 1
    report = network.audit(run)
    assert not report.verified
    assert report.exit_code != 0
    assert [entry.verdict for entry in report.rounds] == [
        RoundVerdict.VERIFIED,
        RoundVerdict.UNVERIFIABLE,
    ]
    found = [each for each in report.findings if each.expected == str(victim.commitment)]
    assert [(each.code, each.check, each.round) for each in found] in (
        [("blob-altered", 9, RoundNumber(2))],
        [("blob-missing", 9, RoundNumber(2))],
    )
    assert report.accused == ()
