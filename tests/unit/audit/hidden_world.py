"""Masked schools whose sites noise hides, each of which records what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fednet.domain import disclosure_events as de
from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import Digest, SiteId
from fednet.domain.privacy import noise_of_training
from fednet.domain.tensors import FloatArray
from fednet.privacy.accounting import spent_by
from fednet.privacy.clipping import cut_to_norm, is_within
from fednet.privacy.masking import Telling, round_norm
from tests.masking_fixtures import Array
from tests.unit.audit.books import RUN
from tests.unit.audit.masking import Masking
from tests.unit.audit.schooling import School


class Hidden(Masking, School):
    """Every site is hidden in the sum, and has recorded what that costs."""

    def contribute(self, site: SiteId) -> None:
        delta = self.plan.privacy.delta
        noise = noise_of_training(self.plan.training, self.plan.privacy, 1)
        loss = PrivacyLoss.of(spent_by([noise] * self.place.round, delta), delta)
        spent = {"epsilon_micro": loss.epsilon_micro, "delta_pico": loss.delta_pico}
        if self.place.round == 1:
            most = {"epsilon_micro": 10**9, "delta_pico": 10**9}
            self.emit(de.CeilingSet, dataset=site, site=site, grounds=Digest(b"\1" * 32), **most)
        self.emit(de.BudgetSpent, run=RUN, round=self.place.round, site=site, dataset=site, **spent)
        super().contribute(site)

    def submit(self, site: int, *given: Any, arrays: Any = None, **named: Any) -> Any:
        if arrays is not None:
            arrays = self.cut(arrays)
        return super().submit(site, *given, arrays=arrays, **named)

    def cut(self, arrays: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Cut an update to what noise reckons with."""
        return cut_to_norm(arrays, self.plan.privacy.clip_norm)


class Following(Hidden):
    """The norm follows them, by what they tell in the sum."""

    def cut(self, arrays: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        said = self.last.outcome["next_norm"] if self.last else ""
        norm = round_norm(self.plan.privacy, str(said))
        cut = cut_to_norm(arrays, norm)
        values: Any = Array(np.concatenate([cut[name].reshape(-1) for name in sorted(cut)]))
        told = Telling(values, norm, is_within(arrays, norm))
        out = np.empty(told.element_count, np.float32)
        told.read_into(0, out)
        return {"told": out}
