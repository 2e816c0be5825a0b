"""Masked rounds in the index, on a real chain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from fednet.domain.identity import RunId
from fednet.domain.masking_events import MASKING_EVENTS
from fednet.ledger.chains import LocalChain
from fednet.provenance import LedgerIndex
from tests import ledger_acts as acts
from tests.chain_fixtures import ChainWorld, deploy_world
from tests.ledger_acts import commitment, locator
from tests.unit.provenance.contents import content_of


@dataclass
class Story:
    """A masked round up to the disclosure of shares, and an index of it."""

    world: ChainWorld
    run: RunId
    site: int
    path: Path
    index: LedgerIndex


@pytest.fixture(scope="module")
def story(anvil_chain: LocalChain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    world, path = deploy_world(anvil_chain), tmp_path_factory.mktemp("index") / "own.sqlite"
    run, hospitals = acts.masked_run(world)
    acts.mask_round(world, run, hospitals, b"")
    with closing(LedgerIndex.open(path, world.deployment)) as index:
        index.refresh(world.reader)
        yield Story(world, run, hospitals[0].site, path, index)
    world.reader.close()


def test_every_record_of_masked_rounds_is_an_event_of_its_run(story: Story) -> None:
    records = story.world.reader.masking_events(story.run)
    told = {
        kind.__name__: [
            (each.block, each.run, each.round) for each in story.index.events(kind=kind.__name__)
        ]
        for kind in MASKING_EVENTS
    }
    for kind in MASKING_EVENTS:
        made = [(each.log.block, each.run, each.round) for each in records if type(each) is kind]
        assert sorted(told[kind.__name__]) == made


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("mask", "key for masks"),
        ("channel", "key for shares"),
        ("dealing", "shares of a site's masks"),
        ("disclosure", "shares of a site's masks"),
    ],
)
def test_lookup_tells_whose_keys_and_shares_these_are(story: Story, what: str, kind: str) -> None:
    place = () if "key" in kind else (story.run, 1, 1)
    named = commitment(what, *place, story.site)
    (found,) = story.index.lookup(str(named))
    assert found.kind == kind
    assert str(story.site) in found.where
    if place:
        (at,) = story.index.lookup(str(locator(named)))
        assert at.kind == "locator of shares"


def test_taking_blocks_back_leaves_no_trace(story: Story, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with closing(LedgerIndex.open(path, story.world.deployment)) as index:
        index.refresh(story.world.reader)
        before = content_of(path)
        assert before == content_of(story.path)
        first = min(each.block for each in index.events(kind="KeysAdvertised"))
        assert index.roll_back(first) > 10
        assert index.lookup(str(commitment("mask", story.site))) == []
        index.refresh(story.world.reader)
        assert content_of(path) == before
