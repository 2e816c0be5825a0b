"""What is rehearsed: how many sites, how their data differ, who among them is hostile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from fednet.errors import SettingsError
from fednet.simulation.vanishing import Vanishing

MOST_SITES = 10_000
HELP = "`fednet simulate --help` shows what can be rehearsed"


@dataclass(frozen=True, slots=True)
class Partition:
    """How the records are dealt to the sites."""

    kind: str
    """``iid`` or ``dirichlet``."""
    alpha: float = 0.0
    """Concentration of the Dirichlet distribution: the smaller, the less alike the sites."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``iid`` or ``dirichlet:ALPHA``.

        Raises:
            SettingsError: It says something else.
        """
        kind, _, rest = text.partition(":")
        try:
            alpha = float(rest) if rest else 0.0
        except ValueError:
            alpha = -1.0
        if (kind == "iid" and not rest) or (kind == "dirichlet" and 0 < alpha <= 1_000):
            return cls(kind, alpha)
        raise SettingsError(
            "no such partition",
            subject=text,
            expected="iid, or dirichlet:0.3 for example",
            hint=HELP,
        )


@dataclass(frozen=True, slots=True)
class Attack:
    """What hostile sites do to their updates, and how many do it."""

    name: str
    count: int

    @classmethod
    def parse(cls, text: str, names: tuple[str, ...]) -> Self:
        """Read ``NAME:COUNT``.

        Raises:
            SettingsError: No such attack, or no count.
        """
        name, _, rest = text.partition(":")
        count = int(rest) if rest.isdecimal() else 0
        if name not in names or not 0 < count < MOST_SITES:
            raise SettingsError(
                "no such attack",
                subject=text,
                expected=f"NAME:COUNT with {', '.join(names)}",
                hint=HELP,
            )
        return cls(name, count)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One rehearsal, without the plan."""

    sites: int
    partition: Partition
    attack: Attack | None
    seed: int
    vanishing: Vanishing | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be played.

        Raises:
            SettingsError: Too few or too many sites, all of them hostile or vanishing, or some of
                each.
        """
        if not 1 <= self.sites <= MOST_SITES:
            raise SettingsError(
                "impossible number of sites",
                expected=f"1 to {MOST_SITES}",
                actual=self.sites,
                hint=HELP,
            )
        if self.attack is not None and self.attack.count >= self.sites:
            raise SettingsError(
                "every site would be hostile",
                expected=f"fewer than {self.sites}",
                actual=self.attack.count,
                hint="let fewer be hostile (--attack), or rehearse more sites (--sites)",
            )
        if self.vanishing is None:
            return
        if self.vanishing.count >= self.sites:
            raise SettingsError(
                "every site would vanish",
                expected=f"fewer than {self.sites}",
                actual=self.vanishing.count,
                hint="let fewer vanish (--vanish), or rehearse more sites (--sites)",
            )
        if self.attack is not None:
            raise SettingsError(
                "hostile sites and vanishing ones cannot be rehearsed together",
                hint="hostile sites wait for every honest update; rehearse one after the other",
            )
