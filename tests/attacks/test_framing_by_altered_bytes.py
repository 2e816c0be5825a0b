"""Whoever holds the store serves bytes in an honest site's name that would convict it.

Values that are no numbers, another author's update, the model itself: none of
them hashes to what the site committed to, so none is the site's.
"""

from __future__ import annotations

import pytest

from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.tampering import require_control, require_found
from tests.attacks.vault import Vault

LIE = Lie(
    "Framing: bytes that would convict a site are stored in its name",
    Liar.STORE,
    (Found("blob-altered", 9),),
    duty="every member that pinned it",
)


@pytest.mark.parametrize("planted", ["no numbers", "another's", "the model", "no update", "zeros"])
def test_planted_bytes_convict_nobody(vault: Vault, finished: Finished, planted: str) -> None:
    victim = finished.update(0, 2).commitment
    honest = vault.content(victim)
    values = 8 * 4
    other = {
        "no numbers": honest[:-values] + b"\xff" * values,
        "another's": vault.content(finished.update(1, 2).commitment),
        "the model": vault.content(finished.proposed(1).state),
        "no update": b"{}",
        "zeros": honest[:-values] + bytes(values),
    }[planted]
    require_found(LIE, vault, finished, victim, other)


def test_honest_bytes_are_verified(vault: Vault, finished: Finished) -> None:
    require_control(vault, finished)
