"""What this node has committed itself to, durable before anybody hears of it.

One sealed log (see `sealed_log`) per deployment and site, synced. Damage means
forgotten promises, and the journal refuses to open. Only one process holds a
journal at a time.

An update's salt is not written here: it stands in the update's own bytes, which
are durable on the same disk before the record that names them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from fednet.domain.identity import Commitment, Digest, Locator, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Deployment
from fednet.node.places import AttemptKey, ProposalKey
from fednet.node.sealed_log import SealedLog, integer, integers
from fednet.node.view import Pledge, Vote

_HINT = "move the file away; the node then sits out what it has begun"
_SYNCED_KINDS = frozenset({"pledge", "intend", "vote", "verify", "root", "mask", "bind"})
"""What must not be forgotten; the others save work only."""


@dataclass(slots=True)
class RunNotes:
    """What the journal says of one run."""

    pledges: dict[AttemptKey, Pledge] = field(default_factory=dict)
    published: set[AttemptKey] = field(default_factory=set)
    intents: dict[ProposalKey, frozenset[SiteId]] = field(default_factory=dict)
    votes: dict[ProposalKey, Vote] = field(default_factory=dict)
    verified: dict[ProposalKey, Commitment] = field(default_factory=dict)
    """Commitment of the state by proposal."""
    preserved: set[RoundNumber] = field(default_factory=set)
    roots: dict[AttemptKey, bytes] = field(default_factory=dict, repr=False)
    """What this site's secrets of a masked attempt grow from."""
    masked: dict[AttemptKey, Commitment] = field(default_factory=dict)
    """What the values that were masked in an attempt hash to."""
    bindings: dict[AttemptKey, bytes] = field(default_factory=dict)
    """The set for which this site discloses shares in an attempt, and no other."""


class Journal:
    """Append facts and remember them; promises are on the disk when a method returns.

    Args:
        folder: Where journals are kept.
        deployment: Consortium whose runs are meant.
        site: Site that acts.

    Raises:
        SettingsError: Another node holds the journal, it is damaged, or the disk refuses.
    """

    def __init__(self, folder: Path, deployment: Deployment, site: SiteId) -> None:
        name = f"{deployment.genesis_hash.hex()[:16]}-{deployment.runs.lower()}-{site}"
        self.path = folder / f"{name}.jsonl"
        self._runs: defaultdict[RunId, RunNotes] = defaultdict(RunNotes)
        self._log = SealedLog(self.path, "journal", self._fold, _HINT)

    def notes(self, run: RunId) -> RunNotes:
        """Return what is known of a run; the caller must not change it."""
        return self._runs[run]

    def pledge(self, run: RunId, key: AttemptKey, pledge: Pledge) -> None:
        """Note an update before the chain hears of its commitment."""
        self._append(
            run,
            key,
            kind="pledge",
            commitment=str(pledge.commitment),
            locator=str(pledge.locator),
            weight=pledge.weight,
            file=pledge.file,
        )

    def publish(self, run: RunId, key: AttemptKey) -> None:
        """Note that the store serves this node's update."""
        self._append(run, key, kind="publish")

    def intend(self, run: RunId, key: ProposalKey, unavailable: frozenset[SiteId]) -> None:
        """Note a proposal before the chain hears of it."""
        self._append(run, key, kind="intend", unavailable=sorted(unavailable))

    def vote(
        self, run: RunId, key: ProposalKey, vote: Vote, state: Commitment | None = None
    ) -> None:
        """Note a vote before the chain hears of it, and the state it verified if it agrees."""
        verified = {"state": str(state)} if state else {}
        self._append(run, key, kind="vote", agrees=vote.agrees, digest=str(vote.digest), **verified)

    def verify(self, run: RunId, key: ProposalKey, state: Commitment) -> None:
        """Note that a proposal was recomputed and found right."""
        self._append(run, key, kind="verify", state=str(state))

    def preserve(self, run: RunId, round_number: RoundNumber) -> None:
        """Note that the store serves what a final round names."""
        self._append(run, (round_number,), kind="preserve")

    def root(self, run: RunId, key: AttemptKey, root: bytes) -> None:
        """Note what a masked attempt's secrets grow from, before anything of them leaves."""
        self._append(run, key, kind="root", root=root.hex())

    def mask(self, run: RunId, key: AttemptKey, values: Commitment) -> None:
        """Note what was masked in an attempt, before its masked bytes are committed to."""
        self._append(run, key, kind="mask", values=str(values))

    def bind(self, run: RunId, key: AttemptKey, binding: bytes) -> None:
        """Note for which set shares are disclosed, before any of them is."""
        self._append(run, key, kind="bind", binding=binding.hex())

    def close(self) -> None:
        """Let another process have the journal."""
        self._log.close()

    def _append(self, run: RunId, key: tuple[int, ...], **fields: object) -> None:
        record: dict[str, object] = {**fields, "run": run, "key": list(key)}
        self._log.append(record, synced=record["kind"] in _SYNCED_KINDS)

    def _fold(self, record: dict[str, object]) -> None:
        notes = self._runs[RunId(integer(record["run"]))]
        match record["kind"], integers(record["key"]):
            case "pledge", [number, attempt]:
                notes.pledges[AttemptKey(RoundNumber(number), attempt)] = Pledge(
                    Commitment(str(record["commitment"])),
                    Locator(str(record["locator"])),
                    integer(record["weight"]),
                    str(record["file"]),
                )
            case "publish", [number, attempt]:
                notes.published.add(AttemptKey(RoundNumber(number), attempt))
            case "intend", [number, attempt, proposal]:
                sites = frozenset(SiteId(site) for site in integers(record["unavailable"]))
                notes.intents[ProposalKey(RoundNumber(number), attempt, proposal)] = sites
            case "vote", [number, attempt, proposal]:
                key = ProposalKey(RoundNumber(number), attempt, proposal)
                notes.votes[key] = Vote(bool(record["agrees"]), Digest(str(record["digest"])))
                if "state" in record:
                    notes.verified[key] = Commitment(str(record["state"]))
            case "verify", [number, attempt, proposal]:
                key = ProposalKey(RoundNumber(number), attempt, proposal)
                notes.verified[key] = Commitment(str(record["state"]))
            case "preserve", [number]:
                notes.preserved.add(RoundNumber(number))
            case "root" | "mask" | "bind" as kind, [number, attempt]:
                _fold_masks(notes, kind, AttemptKey(RoundNumber(number), attempt), record)
            case unknown:
                raise ValueError(f"unknown record {unknown!r}")


def _fold_masks(notes: RunNotes, kind: str, key: AttemptKey, record: dict[str, object]) -> None:
    """Take in what the journal keeps of a masked attempt."""
    match kind:
        case "root":
            notes.roots[key] = bytes.fromhex(str(record["root"]))
        case "mask":
            notes.masked[key] = Commitment(str(record["values"]))
        case "bind":
            notes.bindings[key] = bytes.fromhex(str(record["binding"]))
