"""A site touches another's arrays up, so that no byte comparison finds them again.

Likeness is evidence that two sites have something to explain. It convicts
neither: who copied whom cannot be seen, and two sites may hold like data.
"""

from __future__ import annotations

import numpy as np
import pytest

from fednet.audit import Severity
from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.doubles import difference
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "An update is nearly another's",
    Liar.SITE,
    (Found("update-copied", 23),),
    duty="to explain it",
)


@pytest.mark.parametrize(
    ("change", "severity"), [(2e-7, Severity.VIOLATION), (1e-4, Severity.NOTICE)]
)
def test_touched_up_arrays_name_both(network: Network, change: float, severity: Severity) -> None:
    members = network.members()
    copier, author = members[0], members[1]
    with network.open(members) as run:
        run.start(*members[1:])
        stolen = {
            name: (array * np.float32(1 + change)).astype(np.float32)
            for name, array in difference(author.site, 1).items()
        }
        lies.submit_and_reveal(copier, run, lies.update(copier, run.place(), arrays=stolen))
        assert run.over() is Phase.COMPLETED
        [found] = LIE.found(network.audit(run))
    assert found.severity is severity
    assert str(copier.site) in found.duty
    assert str(author.site) in found.duty


def test_honest_arrays_are_not_alike(network: Network) -> None:
    require_honest_round(network)
