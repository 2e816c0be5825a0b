"""What a site requires of a plan's privacy: "secure-aggregation or epsilon <= 3".

One requirement is a list of alternatives, of which one is enough; a policy lists
requirements, all of which have to be met.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from fednet.domain.plan import Plan
from fednet.errors import SettingsError

MECHANISMS = ("secure-aggregation", "homomorphic-encryption", "sealed-blobs")
"""What a plan may promise by name."""
_CEILING = re.compile(r"(epsilon|delta) ?<= ?([0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)")


@dataclass(frozen=True, slots=True)
class Promises:
    """What a plan promises of privacy."""

    mechanisms: frozenset[str] = frozenset()
    """Of ``MECHANISMS``."""
    epsilon: Decimal | None = None
    """Of each site's dataset, over the whole run; None if nothing is promised."""
    delta: Decimal | None = None


def promised(plan: Plan) -> Promises:
    """Return what a plan's sites are held to: masks, encryption, seals, a counted epsilon."""
    kept = {
        "secure-aggregation": plan.is_masked,
        "homomorphic-encryption": plan.is_encrypted,
        "sealed-blobs": plan.privacy.sealed,
    }
    mechanisms = frozenset(name for name, is_kept in kept.items() if is_kept)
    if plan.privacy.mechanism == "none":
        return Promises(mechanisms)
    return Promises(mechanisms, plan.privacy.epsilon, plan.privacy.delta)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """An amount that the promise may not exceed."""

    measure: str
    most: Decimal


@dataclass(frozen=True, slots=True)
class Requirement:
    """Alternatives, of which a plan has to promise one."""

    text: str
    alternatives: tuple[str | Ceiling, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a requirement as a person writes it.

        Raises:
            SettingsError: It names no known mechanism or measure.
        """
        return cls(text, tuple(_alternative(part.strip()) for part in text.split(" or ")))

    def is_met(self, promises: Promises) -> bool:
        """Tell whether a plan's promises fulfil one of the alternatives."""
        return any(_is_met(each, promises) for each in self.alternatives)


def _alternative(text: str) -> str | Ceiling:
    if text in MECHANISMS:
        return text
    if found := _CEILING.fullmatch(text):
        return Ceiling(found[1], Decimal(found[2]))
    raise SettingsError(
        "no such mechanism",
        subject=text[:80],
        expected=", ".join((*MECHANISMS, "epsilon <= NUMBER", "delta <= NUMBER")),
        hint="alternatives are joined by the word or",
    )


def _is_met(alternative: str | Ceiling, promises: Promises) -> bool:
    if isinstance(alternative, str):
        return alternative in promises.mechanisms
    promise = promises.epsilon if alternative.measure == "epsilon" else promises.delta
    return promise is not None and promise <= alternative.most
