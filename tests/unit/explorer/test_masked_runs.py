"""A masked round in the explorer: its stages, who vanished where, and what was unmasked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fednet.domain.ledger import Phase
from fednet.domain.masking_stages import MaskingStage
from fednet.explorer import Kept, Window, create_app
from fednet.explorer.blobs import veil
from fednet.provenance import LedgerIndex, MaskAct
from tests.masked_chain import MaskedChain, sections
from tests.masked_network import Network, Vanish, stop_time
from tests.unit.audit.books import RUN
from tests.unit.explorer.test_verifying import Home
from tests.unit.explorer.visiting import Visitor
from tests.unit.exports.test_assessment import plan
from tests.unit.privacy.test_agreement import masked_plan

TEN = 10
PAGE = f"/runs/{RUN}/rounds/1"

Until = Callable[[MaskedChain], bool]


@contextmanager
def played(folder: Path, until: Until, vanish: Vanish) -> Iterator[Home]:
    """Play a masked round with whole nodes, and open the explorer over its ledger."""

    class Chain(MaskedChain):
        pass

    Chain.sections = sections(TEN)
    (folder / "chain").mkdir()
    chain = Chain(folder / "chain", TEN, rounds=1)
    with ExitStack() as opened:
        stop_time(opened.enter_context(pytest.MonkeyPatch.context()), chain)
        network = Network(chain, folder)
        opened.callback(network.close)
        network.play(until, vanish)
        index = LedgerIndex.open(folder / "index.sqlite", chain.deployment)
        opened.callback(index.close)
        reader: Any = chain
        window = Window(reader, chain.store, index, 1.0, lambda: Kept((), (), folder / "audits"))
        home = Home(chain, window, opened.enter_context(Visitor(create_app(window))))
        home.learn()
        yield home


def one_by_one(chain: MaskedChain) -> list[int]:
    """Let one vanish before it deals, one before it masks, one as soon as a set is proposed."""
    stage = chain.stage()[0]
    gone = {
        2: stage >= MaskingStage.SHARES,
        5: stage >= MaskingStage.MASKED,
        9: chain.attempt.number > 0,
    }
    return [site for site, is_gone in gone.items() if is_gone]


@pytest.fixture(scope="module")
def final(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("final")
    with played(folder, lambda chain: chain.phase is Phase.FINAL, one_by_one) as home:
        yield home


def stages(home: Home) -> dict[str, tuple[str, str]]:
    """Read the table of stages: by name, how many acted, and who did not."""
    text = home.visitor.get(PAGE).text
    table = text.split('aria-label="Stages of the masks"')[1].split("</table>")[0]
    rows = re.findall(
        r"<tr><th scope=\"row\">(.*?)</th><td class=\"n\">(.*?)</td><td>(.*?)</td>", table
    )
    return {name: (acted, re.sub(r"<[^>]+>", "", who)) for name, acted, who in rows}


def test_round_tells_its_stages_and_who_vanished_where(final: Home) -> None:
    found = stages(final)
    assert list(found) == [
        "keys advertised", "shares dealt", "shares held", "masked updates handed in",
        "shares disclosed",
    ]  # fmt: skip
    assert found["keys advertised"] == ("10 of 10", "nobody")
    assert [found[name][0] for name in list(found)[1:]] == [
        "9 of 10", "9 of 9", "8 of 9", "7 of 9",
    ]  # fmt: skip
    assert "site 2 " in f"{found['shares dealt'][1]} "
    assert found["shares held"][1] == "nobody"
    assert "site 5 " in f"{found['masked updates handed in'][1]} "
    assert {"site 5", "site 9"} <= set(re.findall(r"site \d+", found["shares disclosed"][1]))


def test_round_tells_what_was_unmasked(final: Home) -> None:
    words = final.words(PAGE)
    assert "the sum of 8 updates is what they disclosed shares for" in words
    assert re.search(r"Members froze set 1, which \d+ affirmed", words)
    assert "Dealt, and in no sum: site 5" in words
    assert "Masked: each update of this run lies under masks" in words


def test_run_and_updates_and_lineage_say_that_updates_are_masked(final: Home) -> None:
    for path in (f"/runs/{RUN}", f"/runs/{RUN}/updates"):
        assert "Nobody can read a single one" in final.words(path)


def test_without_a_frozen_set_nothing_is_said_to_be_unmasked(tmp_path: Path) -> None:
    def at_once(chain: MaskedChain) -> bool:
        return chain.phase is Phase.PROPOSING

    with played(tmp_path, at_once, lambda chain: ()) as home:
        assert "shares disclosed" not in stages(home)
        assert "No set is frozen yet, so nobody has disclosed anything" in home.words(PAGE)
        acts = home.window.index.mask_acts(run=RUN, round_number=1, attempt=1, limit=100)
        assert {each.act for each in acts} == {MaskAct.ADVERTISED, MaskAct.DEALT, MaskAct.HELD}
        assert len(home.window.index.mask_acts(run=RUN, site=3)) == 3
        assert home.window.index.mask_acts(run=RUN, attempt=2) == []


def test_an_aborted_attempt_says_that_nothing_was_unmasked(tmp_path: Path) -> None:
    late = (2, 5, 9, 10)

    def vanish(chain: MaskedChain) -> tuple[int, ...]:
        return late if chain.stage()[0] >= MaskingStage.MASKED else ()

    with played(tmp_path, lambda chain: chain.phase is Phase.ABORTED, vanish) as home:
        assert "nothing of this attempt was ever unmasked" in home.words(PAGE)


def test_what_hides_updates_follows_the_plan() -> None:
    assert veil(None) == veil(plan()) == ""
    assert veil(plan(privacy={"sealed": True})) == "sealed"
    assert veil(masked_plan()) == "masked"
