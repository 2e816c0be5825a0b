"""Which states a late update may have been trained from, and how late each makes it."""

from __future__ import annotations

from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, RoundNumber
from fednet.domain.sections import StalenessSection


def late_bases(
    section: StalenessSection, history: RunHistory, initial: Commitment, round_number: RoundNumber
) -> dict[Commitment, int]:
    """Return how many rounds late each state makes an update that was trained from it.

    The round's own base is not among them. Of rounds that ended in the same state
    the latest counts; a round that the log does not call final gives none.

    Args:
        section: The plan's; without it no update may be late.
        history: Holds the rounds before this one.
        initial: The initial model.
        round_number: Round that updates are handed in for.
    """
    bases: dict[Commitment, int] = {}
    for late in range(1, min(section.rounds, round_number - 1) + 1):
        state = state_after(RoundNumber(round_number - 1 - late), history, initial)
        if state is not None:
            bases.setdefault(state, late)
    return bases


def state_after(number: RoundNumber, history: RunHistory, initial: Commitment) -> Commitment | None:
    """Name the state that a round ended in, 0 for the initial one; None if it is not final."""
    if number == 0:
        return initial
    entry = history.rounds.get(number)
    final = entry.final_proposal if entry else None
    return final.proposed.state if final else None
