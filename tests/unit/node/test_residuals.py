"""What a lossy codec leaves at a site stands beside what training left, and apart from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fednet.codec.feedback import with_residual
from fednet.domain.identity import RoundNumber, SiteId
from fednet.node import residuals
from fednet.node.keepsakes import Keepsakes, Kept
from tests.codec_fixtures import LOSSY, Written, joined
from tests.unit.node.views import Chain, attempt_key, commitment_of

SITE = 2


@pytest.mark.parametrize("codec", LOSSY)
def test_residual_comes_back_in_the_next_round(tmp_path: Path, codec: str) -> None:
    written = Written(tmp_path, codec)
    lost = residuals.lost(written.arrays, written.path, written.plan, written.shape)
    chain, keepsakes = Chain(), Keepsakes(tmp_path, SiteId(SITE))
    control = {"control/bias": np.ones(7, np.float32)}
    keepsakes.keep(
        attempt_key(1, 1),
        commitment_of(SITE, 1, 1),
        Kept({**control, **lost}),
        chain.start(1).view().history,
    )
    chain.submit(1, SITE, 3).close().propose(1).attest(1, 3).finalize()
    kept = keepsakes.latest(chain.view().history, RoundNumber(2))
    own, residual = residuals.split(kept.arrays)
    assert own.keys() == control.keys()
    assert residual.keys() == written.arrays.keys()
    again = with_residual(written.arrays, residual)
    expected = 2 * joined(written.arrays).astype(np.float64) - written.decoded()
    assert np.allclose(joined(again), expected, rtol=1e-5, atol=1e-5)
    assert not np.allclose(joined(again), joined(written.arrays), rtol=1e-5, atol=1e-5)


def test_float32_leaves_nothing(tmp_path: Path) -> None:
    written = Written(tmp_path, "float32")
    assert residuals.lost(written.arrays, written.path, written.plan, written.shape) == {}
