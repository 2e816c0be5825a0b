"""One site is served another global model than the next.

The ledger names one model, so only one of the two can be believed: the site
that is served the other refuses it, and so does its audit. Whoever served it
need not be who proposed it; nobody is accused.
"""

from __future__ import annotations

import pytest

from fednet.domain.identity import Locator
from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie, reader, require_honest
from tests.attacks.vault import Vault, flip_last_bit, of_blob

LIE = Lie(
    "Two sites are served different models",
    Liar.STORE,
    (Found("blob-altered", 9), reader("DigestMismatchError")),
    duty="which proposed it",
)


@pytest.mark.parametrize("served", ["a bit altered", "the model of the round before"])
def test_other_model_is_refused(vault: Vault, finished: Finished, served: str) -> None:
    state = finished.proposed(2).state
    locator = Locator(finished.record(2).state_locator)
    whole = vault.content(state)
    other = flip_last_bit(whole) if "bit" in served else vault.content(finished.proposed(1).state)
    assert other != whole
    with vault.gateway(of_blob(locator, lambda _: other)) as address:
        with vault.client(address) as store:
            with LIE.refused("DigestMismatchError"):
                store.fetch(state, [locator], len(whole), 10.0)
            LIE.found(finished.audit(store))
        with vault.client() as honest:
            assert honest.fetch(state, [locator], len(whole), 10.0).read_bytes() == whole


def test_honest_sites_are_served_the_same(vault: Vault, finished: Finished) -> None:
    with vault.gateway(lambda _, data: data) as address, vault.client(address) as store:
        require_honest(finished.audit(store))
