"""A submission that the contract refuses: too late is nobody's fault, all else is an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, SiteId
from fednet.errors import RevertedError
from fednet.node import acts
from fednet.node.desk import Desk, at_once
from fednet.node.journal import Journal
from fednet.node.performing import Performer
from tests.unit.node.test_journal import RUN, deployment
from tests.unit.node.views import attempt_key, pledge_of

KEY = attempt_key()


class Refusing:
    """A chain that refuses every submission for one reason."""

    def __init__(self, error: str) -> None:
        self._error = error

    def submit(self, *_: object) -> None:
        raise RevertedError("refused", error=self._error)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    (tmp_path / "update").write_bytes(b"bytes")
    journal = Journal(tmp_path / "journal", deployment(), SiteId(1))
    pledge = replace(pledge_of(1), commitment=Commitment.of(b"bytes"), file="update")
    journal.pledge(RUN, KEY, pledge)
    yield journal
    journal.close()


def performer(journal: Journal, folder: Path, error: str) -> Performer:
    tools: Any = SimpleNamespace(writer=Refusing(error), journal=journal, site=SiteId(1))
    workshop: Any = SimpleNamespace(folder=folder)
    terms: Any = SimpleNamespace(run=RUN)
    fetcher: Any = None
    return Performer(tools, terms, workshop, fetcher, Desk(at_once, lambda: None))


@pytest.mark.parametrize("error", ["PhaseWrong", "PlaceWrong", "DeadlinePassed"])
def test_a_submission_that_came_too_late_is_given_up(
    journal: Journal, tmp_path: Path, error: str
) -> None:
    late = performer(journal, tmp_path, error)
    late.perform(acts.Submit(KEY), RunHistory(RUN), 0)
    assert "closed" in late.sat_out[KEY]


def test_any_other_refusal_is_an_error(journal: Journal, tmp_path: Path) -> None:
    refused = performer(journal, tmp_path, "WeightInvalid")
    with pytest.raises(RevertedError):
        refused.perform(acts.Submit(KEY), RunHistory(RUN), 0)
    assert not refused.sat_out


def test_a_promise_whose_bytes_are_gone_is_given_up(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "update").unlink()
    lost = performer(journal, tmp_path, "WeightInvalid")
    lost.perform(acts.Submit(KEY), RunHistory(RUN), 0)
    assert "gone" in lost.sat_out[KEY]
