import pytest

from fednet.domain import canonical
from fednet.domain.evaluation import Evaluation
from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.domain.record import ClusterEntry, CreditEntry, RoundRecord, UpdateEntry, witness
from fednet.domain.update import Manifest, Place
from fednet.errors import MalformedBlobError

PLACE = Place(1337, Address("0x" + "ab" * 20), RunId(1), RoundNumber(2), 1)
RECORD = RoundRecord(
    format="fednet-round-record/1",
    chain_id=1337,
    contract=PLACE.contract,
    run=1,
    round=2,
    attempt=1,
    proposal=1,
    proposer=3,
    plan="0" * 64,
    previous_record="1" * 64,
    previous_state="2" * 64,
    rule="fedavg",
    outcome={},
    updates=(
        UpdateEntry(
            site=1,
            commitment="3" * 64,
            weight=10,
            verdict="included",
            reason="",
            metrics={"accuracy": "0.5"},
            evaluated=8,
        ),
        UpdateEntry(site=3, commitment="4" * 64, weight=5, verdict="invalid", reason="not-finite"),
    ),
    evaluation=Evaluation(
        metric="accuracy", pooled="0.5", best="0.5", best_round=1, best_state="2" * 64
    ),
    clusters=(ClusterEntry(site=1, cluster=0), ClusterEntry(site=3, cluster=1)),
    state="5" * 64,
    state_locator="6" * 64,
    state_size_bytes=100,
    credits=(CreditEntry(site=1, earned=2000),),
    credits_root="7" * 64,
    credits_total=2000,
)


def test_record_reads_back_from_its_bytes() -> None:
    assert RoundRecord.from_bytes(RECORD.to_bytes(), "record") == RECORD


def test_record_has_the_pinned_commitment() -> None:
    assert (
        str(Commitment.of(RECORD.to_bytes()))
        == "b94dfaa6042a4658006a3965c4e7b9e3d200ef3666937a030540095e5b5e93da"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"round": 0},
        {"extra": 1},
        {"state": "xyz"},
        {"updates": list(reversed(RECORD.model_dump()["updates"]))},
        {"updates": [RECORD.model_dump()["updates"][0]] * 2},
        {"updates": 3},
        {"credits_total": "2000"},
        {"clusters": [{"site": 3, "cluster": 0}, {"site": 1, "cluster": 1}]},
        {"evaluation": {}},
        {"evaluation": RECORD.model_dump()["evaluation"] | {"best": "1e999999999"}},
        {"evaluation": RECORD.model_dump()["evaluation"] | {"best": "1/3"}},
        {"evaluation": RECORD.model_dump()["evaluation"] | {"best": "0.5\n"}},
        {"evaluation": RECORD.model_dump()["evaluation"] | {"ends": "boredom"}},
        {"format": "fednet-round-record/2"},
    ],
)
def test_record_refuses_other_values(change: dict[str, object]) -> None:
    data = canonical.encode(RECORD.model_dump() | change)
    with pytest.raises(MalformedBlobError):
        RoundRecord.from_bytes(data, "record")


def without(*path: str | int) -> bytes:
    """Write the record with one field left out that has a default."""
    whole = RECORD.model_dump(mode="json")
    part = whole
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return canonical.encode(whole)


@pytest.mark.parametrize(
    "path",
    [("evaluation", "ends"), ("updates", 1, "metrics"), ("updates", 1, "staleness")],
)
def test_record_has_one_byte_form(path: tuple[str | int, ...]) -> None:
    with pytest.raises(MalformedBlobError, match="leaves out"):
        RoundRecord.from_bytes(without(*path), "record")


def test_witness_differs_for_every_attestor_and_place() -> None:
    recomputed, record = Digest(b"\x09" * 32), Commitment(b"\x08" * 32)
    other = Place(PLACE.chain_id, PLACE.contract, PLACE.run, PLACE.round, 2)
    witnesses = {
        witness(PLACE, 1, record, SiteId(1), recomputed),
        witness(PLACE, 1, record, SiteId(2), recomputed),
        witness(PLACE, 2, record, SiteId(1), recomputed),
        witness(other, 1, record, SiteId(1), recomputed),
        witness(PLACE, 1, record, SiteId(1), Digest(b"\x01" * 32)),
    }
    assert len(witnesses) == 5
    assert (
        str(witness(PLACE, 1, record, SiteId(1), recomputed))
        == "be87a0d4b7259d42c7cee48b59a5a7f3f45557348580dd58274b64ad8d25cd8e"
    )


def test_manifest_reads_back_from_its_metadata() -> None:
    manifest = Manifest(PLACE, SiteId(3), Commitment(b"\x05" * 32), 12, Digest(b"\x06" * 32))
    assert Manifest.from_metadata(manifest.to_metadata(), "update") == manifest


@pytest.mark.parametrize(
    "change",
    [
        {"site": "3"},
        {"site": True},
        {"round": -1},
        {"run": 1 << 64},
        {"salt": "zz"},
        {"more": 1},
        {"metrics": {"loss": "1E+999999999"}},
        {"metrics": {"loss": "1E+99999999999"}},
    ],
)
def test_manifest_refuses_other_values(change: dict[str, object]) -> None:
    manifest = Manifest(PLACE, SiteId(3), Commitment(b"\x05" * 32), 12, Digest(b"\x06" * 32))
    with pytest.raises(MalformedBlobError):
        Manifest.from_metadata(manifest.to_metadata() | change, "update")
