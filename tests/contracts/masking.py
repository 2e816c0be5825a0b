"""A masked run on the chain: four sites, and each act of a masked attempt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.contracts.chain import digest
from tests.contracts.world import Party, World

NONE, KEYS, SHARES, HOLDINGS, MASKED, FREEZING, UNMASKING = range(7)
BAD_FIRST = b"\x02"
"""Inclusion bytes that call the first position's update invalid."""
AWAY_FIRST = b"\x03"
"""Inclusion bytes that call it unavailable."""


class MaskedRun:
    """A run of the masked module in which all sites of the world consent."""

    def __init__(self, world: World, **changes: Any) -> None:
        self.world, self.parties = world, list(world.parties)
        self.acts = world.masking.functions
        values: dict[str, Any] = {"minimumSites": 4, "targetSites": 4} | changes
        self.run = world.open(**values)
        for party in self.parties:
            world.consent(self.run, party)

    @property
    def state(self) -> dict[str, Any]:
        """Read where the masked attempt stands, by field."""
        entry = next(each for each in self.world.masking.abi if each.get("name") == "stateOf")
        names = [each["name"] for each in entry["outputs"][0]["components"]]
        return dict(zip(names, self.acts.stateOf(self.run).call(), strict=True))

    @property
    def stage(self) -> int:
        """Read the stage."""
        return int(self.state["stage"])

    @property
    def place(self) -> dict[str, Any]:
        """Name run, round and attempt at hand."""
        at = self.world.state(self.run)
        return {"run": self.run, "round": at["round"], "attempt": at["attempt"]}

    def keys(self, party: Party, **changes: Any) -> Any:
        """Make the act of advertising keys."""
        keys = {"mask": digest("mask", party.site), "channel": digest("channel", party.site)}
        return self.acts.advertise(*self._values(party, keys, changes))

    def dealing(self, party: Party, **changes: Any) -> Any:
        """Make the act of dealing shares."""
        return self.acts.deal(*self._values(party, self._blob("dealing", party), changes))

    def holding(self, party: Party, **changes: Any) -> Any:
        """Make the act of saying whose shares are held."""
        return self.acts.hold(*self._values(party, {"holding": b"\x07"}, changes))

    def set(self, party: Party, inclusion: bytes = b"", **changes: Any) -> Any:
        """Make the act of proposing a set."""
        return self.acts.proposeSet(*self._values(party, {"inclusion": inclusion}, changes))

    def affirmation(self, party: Party, number: int = 1, **changes: Any) -> Any:
        """Make the act of affirming a set."""
        return self.acts.affirmSet(*self._values(party, {"number": number}, changes))

    def disclosure(self, party: Party, **changes: Any) -> Any:
        """Make the act of disclosing shares."""
        return self.acts.disclose(*self._values(party, self._blob("disclosure", party), changes))

    def do(self, party: Party, act: Any) -> list[tuple[str, dict[str, Any]]]:
        """Do an act that must succeed; give its events."""
        return self.world.events(self.world.send(party.account, act))

    def refused(self, party: Party, act: Any) -> tuple[str, tuple[Any, ...]]:
        """Do an act that must be refused; give the error and its arguments."""
        refused = self.world.refusal_of(party.account, act)
        return refused.name, refused.arguments

    def close(self) -> list[tuple[str, dict[str, Any]]]:
        """Close the keys, by the first site."""
        return self.do(self.parties[0], self.acts.closeKeys(self.run))

    def to_shares(self, parties: Iterable[Party] | None = None) -> None:
        """Let sites advertise; if not all did, the time passes; then the keys are closed."""
        chosen = list(parties or self.parties)
        for party in chosen:
            self.do(party, self.keys(party))
        if len(chosen) < len(self.parties):
            self.pass_stage()
        self.close()

    def to_holdings(self, parties: Iterable[Party] | None = None) -> None:
        """Go on until all that advertised have dealt."""
        chosen = list(parties or self.parties)
        self.to_shares(chosen)
        for party in chosen:
            self.do(party, self.dealing(party))

    def to_masked(self, parties: Iterable[Party] | None = None) -> None:
        """Go on until all that dealt have said what they hold."""
        chosen = list(parties or self.parties)
        self.to_holdings(chosen)
        for party in chosen:
            self.do(party, self.holding(party))

    def to_freezing(self, parties: Iterable[Party] | None = None) -> None:
        """Go on until all that may have submitted."""
        chosen = list(parties or self.parties)
        self.to_masked(chosen)
        for party in chosen:
            self.world.submit(self.run, party)

    def to_unmasking(self, inclusion: bytes = b"") -> None:
        """Go on until a set is frozen."""
        self.to_freezing()
        turn = self.turn(1)
        self.do(turn, self.set(turn, inclusion))
        for party in self.parties[:3]:
            self.do(party, self.affirmation(party))

    def turn(self, number: int) -> Party:
        """Find the site whose turn it is to propose a set."""
        at = self.world.state(self.run)
        position = (at["round"] + at["attempt"] + number) % at["rosterLength"]
        return next(
            each
            for each in self.parties
            if self.world.member(self.run, each)["position"] == position
        )

    def pass_stage(self) -> None:
        """Let the stage's time pass."""
        self.world.chain.sleep(max(0, self.state["deadline"] - self.world.chain.now) + 1)

    def _values(self, party: Party, more: dict[str, Any], changes: dict[str, Any]) -> list[Any]:
        at = self.place
        values = {
            "run": at["run"], "site": party.site, "round": at["round"], "attempt": at["attempt"],
        }  # fmt: skip
        return list((values | more | changes).values())

    def _blob(self, what: str, party: Party) -> dict[str, Any]:
        return {"commitment": digest(what, party.site), "locator": digest("at", what, party.site)}
