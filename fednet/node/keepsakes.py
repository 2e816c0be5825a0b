"""What a site keeps to itself from one round to the next: it never leaves this disk.

That are a control variate, local heads, a model of the site's own, and what a
lossy codec did not send. One file an attempt, durable before the journal hears
of the update that it goes with, and bound to that update's commitment. It
counts when the chain says that this very update was included in a final round;
what any other attempt left behind is never read. A file that is lost or damaged
is as none: training then starts anew, which is slower and never wrong.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fednet.codec.files import write_tensors
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, RoundNumber, SiteId
from fednet.domain.ledger import Inclusion, unpack_inclusion
from fednet.domain.tensors import FloatArray, decode_tensors
from fednet.errors import MalformedBlobError, SettingsError
from fednet.node.places import AttemptKey, final_key, find_attempt, find_proposal, position_in

FOLDER = "kept"
_FORMAT = "fednet-kept/1"
_NAME = re.compile(r"(\d+)-(\d+)\.safetensors")


@dataclass(frozen=True, slots=True)
class Kept:
    """What an attempt left at a site."""

    arrays: Mapping[str, FloatArray] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Of the models at the site on its own data, as decimal text."""
    round: int = 0
    """0 if nothing was left, or it was lost."""


class Keepsakes:
    """Keep what training left for one site in one run.

    Args:
        run_folder: Where the node keeps the files of the run.
        site: Whose they are.
    """

    def __init__(self, run_folder: Path, site: SiteId) -> None:
        self._folder = run_folder / FOLDER
        self._site = site

    def latest(self, history: RunHistory, before: RoundNumber) -> Kept:
        """Return what the site's last included update left here, earlier than a round."""
        if not self._folder.is_dir():
            return Kept()
        found = self._counting(history, before)
        return self._read(*found) if found else Kept()

    def keep(self, key: AttemptKey, update: Commitment, kept: Kept, history: RunHistory) -> None:
        """Put down what training left, before anybody hears of its update.

        Raises:
            SettingsError: The disk refuses.
        """
        self._tidy(key, history)
        if not kept.arrays:
            return
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as exc:
            raise SettingsError(
                "cannot keep what training left",
                subject=str(self._folder),
                actual=exc.strerror,
                hint="free disk space, or check who owns the folder; nothing was sent",
            ) from exc
        metadata = {
            "format": _FORMAT,
            "metrics": dict(kept.metrics),
            "update": str(update),
            "values": _digest(kept.arrays),
        }
        write_tensors(self._path(key), kept.arrays, metadata)

    def _counting(
        self, history: RunHistory, before: RoundNumber
    ) -> tuple[AttemptKey, Commitment] | None:
        """Find the last final round, before another, that includes this site's update."""
        for number in sorted(history.rounds, reverse=True):
            if number < before and (update := self._included(history, number)):
                return update
        return None

    def _included(
        self, history: RunHistory, number: RoundNumber
    ) -> tuple[AttemptKey, Commitment] | None:
        key = final_key(history, number)
        attempt = find_attempt(history, key.attempt_key) if key else None
        proposal = find_proposal(history, key) if key else None
        if key is None or attempt is None or proposal is None:
            return None
        submission = attempt.submissions.get(self._site)
        length = attempt.started.roster_length
        own = position_in(history, self._site, length)
        positions = {position_in(history, site, length) for site in attempt.submissions}
        verdicts = unpack_inclusion(
            proposal.proposed.inclusion, {at for at in positions if at is not None}
        )
        if submission is None or own is None or verdicts is None:
            return None
        if verdicts[own] is not Inclusion.INCLUDED:
            return None
        return key.attempt_key, submission.commitment

    def _read(self, key: AttemptKey, update: Commitment) -> Kept:
        path = self._path(key)
        try:
            arrays, metadata = decode_tensors(path.read_bytes(), str(path))
        except (OSError, MalformedBlobError):
            return Kept()
        metrics = metadata.get("metrics")
        bound = (metadata.get("format"), metadata.get("update"), metadata.get("values"))
        if bound != (_FORMAT, str(update), _digest(arrays)) or not isinstance(metrics, dict):
            return Kept()
        return Kept(arrays, {str(name): str(text) for name, text in metrics.items()}, key.round)

    def _tidy(self, key: AttemptKey, history: RunHistory) -> None:
        """Remove what can no longer count: what is older than the attempt that does."""
        if not self._folder.is_dir():
            return
        found = self._counting(history, key.round)
        for path in self._folder.glob("*.safetensors"):
            named = _NAME.fullmatch(path.name)
            if not named:
                continue
            kept = AttemptKey(RoundNumber(int(named[1])), int(named[2]))
            if found and kept.round <= found[0].round and kept != found[0]:
                path.unlink(missing_ok=True)

    def _path(self, key: AttemptKey) -> Path:
        return self._folder / f"{key.round}-{key.attempt}.safetensors"


def _digest(arrays: Mapping[str, FloatArray]) -> str:
    """Hash the values, so that a damaged file is told from a whole one."""
    state = hashlib.sha256()
    for name in sorted(arrays):
        state.update(name.encode())
        state.update(arrays[name].astype("<f4", order="C").tobytes())
    return state.hexdigest()
