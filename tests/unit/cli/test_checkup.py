"""What `fednet doctor` says of messages between sites."""

from __future__ import annotations

from typing import Any

import pytest

from fednet.cli.checkup import _messages
from fednet.errors import StoreError, StoreUnavailableError


class Bus:
    """A bus whose daemon answers as it is told to."""

    def __init__(self, failure: StoreError | None) -> None:
        self.failure = failure

    def probe(self) -> None:
        if self.failure is not None:
            raise self.failure


def test_doctor_says_that_messages_can_be_had() -> None:
    bus: Any = Bus(None)
    assert _messages(bus).good


@pytest.mark.parametrize(
    "failure",
    [
        StoreError("the store refused", actual="experimental pubsub feature not enabled"),
        StoreUnavailableError("no answer in time", actual="feature not enabled"),
    ],
)
def test_doctor_says_why_not_and_that_a_site_works_without(failure: StoreError) -> None:
    bus: Any = Bus(failure)
    found = _messages(bus)
    assert (found.good, found.needed) == (False, False)
    assert "feature not enabled" in found.found
    assert "pubsub" in found.remedy
