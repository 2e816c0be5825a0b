"""What noise was added to which dataset, and what that spent: values for ledger, node and audit.

What it costs is not computed here; `fednet.privacy.accounting` turns noise into epsilon.
Real numbers are normalised decimals, as in every canonical form.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from fednet.domain import canonical
from fednet.domain.identity import DatasetId, RoundNumber, RunId, SiteId
from fednet.domain.sections import PrivacySection, TrainingSection
from fednet.errors import MalformedBlobError

SPENT_FORMAT = "fednet-spent/1"
_MOST_COUNT = 1 << 64
_MOST_DIGITS = 40


@dataclass(frozen=True, slots=True)
class NoisySteps:
    """Describe steps of DP-SGD: sums of clipped gradients over Poisson samples, with noise."""

    examples: int
    """Of the dataset; each is drawn into each step by itself."""
    batch_size: int
    """How many of them a step draws on average; a step of all examples draws each of them."""
    noise_multiplier: Decimal
    """Standard deviation of the noise, in units of the clipping norm."""
    steps: int

    @property
    def sample_rate(self) -> float:
        """Return the probability with which a step draws an example."""
        return min(1.0, self.batch_size / self.examples)


def noise_of_training(
    training: TrainingSection, privacy: PrivacySection, examples: int
) -> NoisySteps:
    """Return what a plan has one training of so many examples add; at least 1.

    A sum over sites that hides each whole one is a single step, of which the site's update
    is the only example. Its noise counts half: another update instead may lie two norms away,
    where an example that is left out lies one. So both can be added up for one record.
    """
    if privacy.hides_sites:
        return NoisySteps(1, 1, privacy.noise_multiplier / 2, 1)
    per_epoch = -(-examples // training.batch_size)
    return NoisySteps(
        examples,
        training.batch_size,
        privacy.noise_multiplier,
        training.local_epochs * per_epoch,
    )


@dataclass(frozen=True, slots=True)
class Budget:
    """Bound what may be learnt of one record: (epsilon, delta)-differential privacy.

    Two datasets are neighbours if one holds a record that the other lacks.
    """

    epsilon: Decimal
    delta: Decimal


@dataclass(frozen=True, slots=True)
class Expense:
    """Name one training whose update left its site, and the noise that was in it."""

    dataset: DatasetId
    run: RunId
    round: RoundNumber
    attempt: int
    steps: NoisySteps

    def to_plain(self) -> dict[str, object]:
        """Return what canonical JSON takes."""
        steps = self.steps
        return {
            "attempt": self.attempt,
            "batch_size": steps.batch_size,
            "dataset": self.dataset,
            "examples": steps.examples,
            "noise_multiplier": canonical.decimal_text(steps.noise_multiplier),
            "round": self.round,
            "run": self.run,
            "steps": steps.steps,
        }

    @classmethod
    def from_plain(cls, raw: object, subject: str) -> Self:
        """Read what `to_plain` gave; further keys are for others.

        Raises:
            MalformedBlobError: It names no training.
        """
        if not isinstance(raw, dict):
            raise MalformedBlobError("names no training", subject=subject)
        steps = NoisySteps(
            _count(raw, "examples", subject, 1),
            _count(raw, "batch_size", subject, 1),
            _real(raw, "noise_multiplier", subject),
            _count(raw, "steps", subject),
        )
        return cls(
            DatasetId(_count(raw, "dataset", subject)),
            RunId(_count(raw, "run", subject)),
            RoundNumber(_count(raw, "round", subject, 1)),
            _count(raw, "attempt", subject, 1),
            steps,
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """State what a site has spent of a dataset once an update has left."""

    site: SiteId
    expense: Expense
    run: Budget
    """By this run alone, at the delta that its plan promises."""
    dataset: Budget
    """By all runs of the dataset together, at the delta of the site's ceiling."""

    def to_bytes(self) -> bytes:
        """Return the canonical JSON."""
        return canonical.encode(
            {
                **self.expense.to_plain(),
                "dataset_delta": canonical.decimal_text(self.dataset.delta),
                "dataset_epsilon": canonical.decimal_text(self.dataset.epsilon),
                "format": SPENT_FORMAT,
                "run_delta": canonical.decimal_text(self.run.delta),
                "run_epsilon": canonical.decimal_text(self.run.epsilon),
                "site": self.site,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, subject: str = "spent budget") -> Self:
        """Read what another site, or an earlier start of this one, wrote.

        Raises:
            MalformedBlobError: Not the canonical form of such a statement.
        """
        raw = canonical.decode_object(data, subject)
        if raw.get("format") != SPENT_FORMAT:
            raise MalformedBlobError("is no spent budget", subject=subject, expected=SPENT_FORMAT)
        found = cls(
            SiteId(_count(raw, "site", subject)),
            Expense.from_plain(raw, subject),
            Budget(_real(raw, "run_epsilon", subject), _real(raw, "run_delta", subject)),
            Budget(_real(raw, "dataset_epsilon", subject), _real(raw, "dataset_delta", subject)),
        )
        if found.to_bytes() != data:
            raise MalformedBlobError("holds fields that nobody knows", subject=subject)
        return found


def _count(raw: dict[str, object], key: str, subject: str, least: int = 0) -> int:
    value = raw.get(key)
    if type(value) is not int or not least <= value < _MOST_COUNT:
        raise MalformedBlobError(f"{key} is no count", subject=subject)
    return value


def _real(raw: dict[str, object], key: str, subject: str) -> Decimal:
    """Read a real number of at least 0 in its normalised form."""
    value = raw.get(key)
    try:
        if isinstance(value, str) and len(value) <= _MOST_DIGITS:
            text = canonical.decimal_text(value)
            if text == value and not text.startswith("-"):
                return Decimal(text)
    except ValueError:
        pass
    raise MalformedBlobError(f"{key} is no normalised decimal", subject=subject)
