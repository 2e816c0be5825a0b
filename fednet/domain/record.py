"""The round record: what a round did, in the one form whose bytes are committed.

A record names the one before it, so that the last record of a run leads back
to its plan. Everything in it follows from the plan, the previous record, the
updates and the set the aggregator could reach; members recompute it all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fednet.domain import canonical
from fednet.domain.evaluation import Ends, Evaluation
from fednet.domain.identity import Commitment, Digest, Locator, SiteId
from fednet.domain.ledger import Inclusion, Settlement
from fednet.domain.update import Place
from fednet.errors import MalformedBlobError

RECORD_FORMAT = "fednet-round-record/1"
WITNESS_FORMAT = "fednet-witness/1"
MAX_RECORD_SIZE_BYTES = 1 << 22

_HEX64 = r"^[0-9a-f]{64}$"
_LISTS = ("updates", "credits", "clusters")


def outcome_text(outcome: Mapping[str, str | int | list[int]]) -> str:
    """Say what a rule did to the included updates: words in order, sites after them."""
    return "; ".join(
        f"{word.replace('_', ' ')} {', '.join(map(str, told)) if isinstance(told, list) else told}"
        for word, told in sorted(outcome.items())
        if told != []
    )


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class UpdateEntry(_Part):
    """What became of one submission."""

    site: int = Field(ge=1)
    commitment: str = Field(pattern=_HEX64)
    weight: int = Field(ge=1)
    verdict: str = Field(pattern="^(included|invalid|unavailable)$")
    reason: str = Field(max_length=64)
    """Why an invalid update is invalid: the intake's code; empty otherwise."""
    metrics: dict[str, str] = {}
    """What an included update says that the state it was trained from reaches at its site."""
    evaluated: int = Field(0, ge=0)
    """Examples that it says the metrics rest on."""
    staleness: int = Field(0, ge=0)
    """Rounds by which the state that an included update was trained from is older than the
    previous one."""


class CreditEntry(_Part):
    """What one site earned up to and including this round."""

    site: int = Field(ge=1)
    earned: int = Field(ge=0)


class ClusterEntry(_Part):
    """The cluster that a site belongs to from the next round on."""

    site: int = Field(ge=1)
    cluster: int = Field(ge=0)


class RoundRecord(_Part):
    """Say what a round did; see the module."""

    format: str = Field(pattern=f"^{RECORD_FORMAT}$")
    chain_id: int
    contract: str
    run: int
    round: int = Field(ge=1)
    attempt: int = Field(ge=1)
    proposal: int = Field(ge=1)
    proposer: int = Field(ge=1)
    plan: str = Field(pattern=_HEX64)
    previous_record: str = Field(pattern=_HEX64)
    """Commitment of the previous round's record; in round 1, of the plan."""
    previous_state: str = Field(pattern=_HEX64)
    rule: str
    outcome: dict[str, str | int | list[int]]
    """What the rule chose, where it chooses; empty for a mean."""
    updates: tuple[UpdateEntry, ...]
    """One per submission, by site."""
    evaluation: Evaluation | None = None
    """How good the states up to the previous one were, if the plan asks for a metric."""
    clusters: tuple[ClusterEntry, ...] = ()
    """Groups by similarity, by site, once they are formed."""
    state: str = Field(pattern=_HEX64)
    state_locator: str = Field(pattern=_HEX64)
    state_size_bytes: int = Field(ge=1)
    credits: tuple[CreditEntry, ...]
    """One per site that ever earned in this run, by site."""
    credits_root: str = Field(pattern=_HEX64)
    credits_total: int = Field(ge=0)

    def to_bytes(self) -> bytes:
        """Return the canonical bytes, whose SHA-256 is the record's commitment."""
        return canonical.encode(self.model_dump())

    @classmethod
    def from_bytes(cls, data: bytes, subject: str) -> Self:
        """Read a record from its canonical bytes.

        Raises:
            MalformedBlobError: Too large, not canonical, or not a record.
        """
        if len(data) > MAX_RECORD_SIZE_BYTES:
            raise MalformedBlobError("record is too large", subject=subject, actual=len(data))
        raw = canonical.decode_object(data, subject)
        lists = {name: tuple(_items(raw.get(name))) for name in _LISTS}
        try:
            record = cls.model_validate(raw | lists)
        except ValidationError as exc:
            first = exc.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise MalformedBlobError(
                f"not a round record: {field}: {first['msg']}", subject=subject
            ) from exc
        for name in _LISTS:
            sites = [entry.site for entry in getattr(record, name)]
            if sites != sorted(set(sites)):
                raise MalformedBlobError(f"{name} are not sorted by site", subject=subject)
        if record.to_bytes() != data:
            raise MalformedBlobError("record leaves out fields that have defaults", subject=subject)
        return record

    @property
    def settlement(self) -> Settlement:
        """Return what the chain stores of this record once it is final."""
        return Settlement(
            record=Commitment.of(self.to_bytes()),
            state=Commitment(self.state),
            credits_root=Digest(self.credits_root),
            credits_total=self.credits_total,
        )

    @property
    def earned(self) -> dict[SiteId, int]:
        """Cumulative credits by site."""
        return {SiteId(entry.site): entry.earned for entry in self.credits}

    @property
    def assigned(self) -> dict[SiteId, int]:
        """Cluster by site, where groups by similarity are formed."""
        return {SiteId(entry.site): entry.cluster for entry in self.clusters}

    @property
    def late(self) -> dict[SiteId, int]:
        """Say by how many rounds the included updates were late that were."""
        return {SiteId(entry.site): entry.staleness for entry in self.updates if entry.staleness}

    @property
    def measured(self) -> Measured | None:
        """Return what the sites measured of the previous state; None if nobody did."""
        said = self.evaluation
        if said is None:
            return None
        sites = {
            SiteId(entry.site): entry.metrics[said.metric]
            for entry in self.updates
            if said.metric in entry.metrics and entry.staleness == 0
        }
        return Measured(said, self.round - 1, sites) if sites else None

    @property
    def ends(self) -> Ends:
        """Say why the run is to end with this round; empty if it goes on."""
        return self.evaluation.ends if self.evaluation else ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What sites measured of one state."""

    evaluation: Evaluation
    """Their mean, and the best state so far."""
    round: int
    """Round that made the state; 0 for the initial model."""
    sites: Mapping[SiteId, str]
    """What each included update brought, as decimal text."""


@dataclass(frozen=True, slots=True)
class StateRef:
    """Where a state is, and what its bytes must hash to."""

    commitment: Commitment
    locator: Locator
    size_bytes: int
    """Upper bound of the blob's size."""


VERDICT_NAMES = {
    Inclusion.INCLUDED: "included",
    Inclusion.INVALID: "invalid",
    Inclusion.UNAVAILABLE: "unavailable",
}


def witness(
    place: Place, proposal: int, record: Commitment, attestor: SiteId, recomputed: Digest
) -> Digest:
    """Prove having recomputed a proposal, without saying what was hashed.

    Args:
        proposal: Number of the proposal within the attempt.
        record: Commitment of the proposed record.
        attestor: Site that vouches.
        recomputed: SHA-256 over the bytes of every included update, by site,
            and then of the next state. Never published: who knows it held the
            bytes, and who echoes another's witness has it bound to that other.
    """
    bound = [
        WITNESS_FORMAT,
        place.chain_id,
        place.contract,
        place.run,
        place.round,
        place.attempt,
        proposal,
        str(record),
        attestor,
        str(recomputed),
    ]
    return Digest(Commitment.of(canonical.encode(bound)))


def _items(raw: object) -> list[object]:
    return raw if isinstance(raw, list) else [raw]
