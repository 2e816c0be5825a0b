"""What a run's state holds beside the model: it is right, and nobody chooses how it starts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fednet.domain.tensors import FloatArray
from tests.unit.audit.schooling import TRAINING, School


def test_scaffolds_global_variate_is_the_weighted_mean_of_the_sites(tmp_path: Path) -> None:
    school = School(
        tmp_path, 2, {"training": TRAINING.model_copy(update={"algorithm": "scaffold"})}
    )
    school.play(2)
    state = school.global_state()
    total = sum(len(school.data(site)) for site in school.sites)
    for spec in school.shape.model.tensors:
        mean = sum(
            school.kept[site][f"control/{spec.name}"].astype(np.float64) * len(school.data(site))
            for site in school.sites
        )
        np.testing.assert_allclose(state[f"~control/{spec.name}"], mean / total, atol=1e-5)


class Steered(School):
    """Begin with moments that are not zero."""

    def initial(self) -> dict[str, FloatArray]:
        arrays = super().initial()
        arrays["~momentum/2.bias"][3] = 1e-6
        return arrays


def test_moments_that_do_not_start_at_zero_are_found(tmp_path: Path) -> None:
    school = Steered(tmp_path, 2, {"server": {"optimizer": "fedavgm"}})
    school.play(1)
    found = [each for each in school.audit().findings if each.code == "initial-model-unfit"]
    assert len(found) == 1
    assert "~momentum/2.bias" in found[0].message
