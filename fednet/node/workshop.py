"""Where a run's rounds are recomputed: inputs gathered from chain, store and disk.

Files live in one folder a run: this site's own updates, the states and records
that its recomputations gave. Whatever is read back is hashed again first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock

from fednet.audit import (
    Combined,
    MaskedInputs,
    PreviousRound,
    Recomputed,
    RoundInputs,
    combine,
    judge,
    settle,
)
from fednet.audit.inputs import EncryptedInputs, OpenedUpdates
from fednet.audit.storing import OPENED_SUFFIX, STATE_SUFFIX
from fednet.codec import Reason, Verdict, check_state
from fednet.codec.update import update_blob_limit_bytes
from fednet.domain.blobs import BlobStore
from fednet.domain.events import RoundProposed
from fednet.domain.history import AttemptHistory, RunHistory
from fednet.domain.identity import Commitment, Locator, RoundNumber, SiteId
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.domain.shape import StateShape
from fednet.errors import BlobMissingError, VerificationError
from fednet.node.fetching import Fetcher
from fednet.node.files import disk_error, file_matches, write_whole
from fednet.node.places import AttemptKey, ProposalKey, final_key, find_attempt, find_proposal
from fednet.node.terms import RunTerms
from fednet.node.vault import Vault
from fednet.node.view import Pledge

_FETCH_TIMEOUT_SECONDS = 60.0
_DRAFT_SUFFIX = ".draft"
_SHARES_SUFFIX = ".shares"
_TIDIED = {STATE_SUFFIX, OPENED_SUFFIX, _DRAFT_SUFFIX, _SHARES_SUFFIX}
_OWN_NAME = re.compile(r"[a-z]+-(\d+)-\d+-\d+\.(safetensors|draft|shares)")
"""Of what this site made in an attempt: its update, what it dealt, what it disclosed."""
_UPDATES = "update-*.safetensors"


class Workshop:
    """Recompute the rounds of one run; touches no ledger."""

    def __init__(
        self,
        terms: RunTerms,
        blobs: BlobStore,
        fetcher: Fetcher,
        folder: Path,
        threads: int,
        vault: Vault | None = None,
    ) -> None:
        self._terms = terms
        self._blobs = blobs
        self._fetcher = fetcher
        self._threads = threads
        self._previous: dict[RoundNumber, PreviousRound] = {}
        self._agreed: dict[ProposalKey, PreviousRound] = {}
        self._combined: dict[tuple[AttemptKey, frozenset[SiteId]], Combined] = {}
        self._settled: dict[tuple[ProposalKey, SiteId], tuple[Combined, Recomputed]] = {}
        self._shapes: dict[Commitment, StateShape] = {}
        self._combining = Lock()
        self._tidied: tuple[RoundNumber, frozenset[Commitment]] | None = None
        self.vault = vault
        """Seals and opens, in a run that seals its blobs."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            own = [path.stat().st_size for path in folder.glob(_UPDATES)]
        except OSError as exc:
            raise disk_error(folder, exc) from exc
        self._own_size_bytes = max(own, default=0)

    @property
    def update_size_limit_bytes(self) -> int:
        """Largest blob that an update of this run may lie in."""
        return update_blob_limit_bytes(self._terms.plan)

    @property
    def likely_update_size_bytes(self) -> int:
        """Size of the largest update seen here, this site's own included; else their limit."""
        seen = max(self._own_size_bytes, self._fetcher.largest_size_bytes)
        return seen or self.update_size_limit_bytes

    @property
    def agreed(self) -> frozenset[ProposalKey]:
        """Proposals of late that were recomputed here and found right."""
        return frozenset(self._agreed)

    def previous(self, history: RunHistory, round_number: RoundNumber) -> PreviousRound:
        """Return what a round starts from: the last final state and its record.

        Raises:
            StoreError: Its bytes can be had neither here nor from a peer.
            VerificationError: The record and the chain contradict each other.
        """
        if round_number not in self._previous:
            last = RoundNumber(round_number - 1)
            self._previous[round_number] = (
                self._initial() if last == 0 else self._final(history, last)
            )
        return self._previous[round_number]

    def shape_of(self, base: PreviousRound) -> StateShape:
        """Return the form of a state, whose bytes are checked once.

        Raises:
            MalformedBlobError: They are no state.
        """
        if base.state not in self._shapes:
            plan = self._terms.plan
            header = check_state(base.state_path, None, plan.model.size_bytes)
            self._shapes[base.state] = StateShape.of_state(plan, header.layout)
        return self._shapes[base.state]

    def recompute(
        self,
        history: RunHistory,
        key: ProposalKey,
        proposer: SiteId,
        unavailable: frozenset[SiteId],
        pledge: Pledge | None,
        refused: Mapping[SiteId, Reason],
        masked: MaskedInputs | None = None,
        encrypted: EncryptedInputs | None = None,
    ) -> Recomputed:
        """Recompute a proposal with some updates left out as unavailable.

        Raises:
            AggregationError: These updates cannot be combined.
            StoreError: Bytes that were here are gone.
        """
        # Several sites of one process may share a workshop: the first one combines.
        with self._combining:
            combined = self._combine(
                history, key.attempt_key, unavailable, pledge, refused, masked, encrypted
            )
            settled = self._settled.get((key, proposer))
            if settled is None or settled[0] is not combined:
                settled = (combined, settle(combined, key.number, proposer))
                self._settled[key, proposer] = settled
            return settled[1]

    def judge_masked(
        self,
        history: RunHistory,
        key: AttemptKey,
        unavailable: frozenset[SiteId],
        pledge: Pledge | None,
        masked: MaskedInputs,
    ) -> dict[SiteId, Verdict]:
        """Judge an attempt's masked updates, before it is settled which of them count.

        Raises:
            StoreError: Bytes that were here are gone.
        """
        inputs = self._inputs(history, key, unavailable, pledge, {}, masked)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="judge") as pool:
            return judge(inputs, self.shape_of(inputs.previous), pool)

    def keep_record(self, recomputed: Recomputed) -> Path:
        """Write a record to the folder and return where."""
        path = self.record_path(recomputed.commitment)
        if not path.exists():
            write_whole(path, recomputed.record_bytes)
        return path

    def scratch(self) -> Path:
        """Return a folder that training may fill."""
        path = self.folder / "training"
        path.mkdir(exist_ok=True)
        return path

    def update_name(self, key: AttemptKey, site: SiteId) -> str:
        """Name the file of a site's own update within the folder."""
        return f"update-{key.round}-{key.attempt}-{site}.safetensors"

    def draft_path(self, key: AttemptKey, site: SiteId) -> Path:
        """Name the file of an update's content: its own, unless it is sealed or masked."""
        path = self.folder / self.update_name(key, site)
        plan = self._terms.plan
        is_hidden = self.vault is not None or plan.is_masked or plan.is_encrypted
        return path.with_suffix(_DRAFT_SUFFIX) if is_hidden else path

    def shares_path(self, what: str, key: AttemptKey, site: SiteId) -> Path:
        """Name the file of what a site ``dealt`` or ``disclosed`` in an attempt."""
        return self.folder / f"{what}-{key.round}-{key.attempt}-{site}{_SHARES_SUFFIX}"

    def record_path(self, commitment: Commitment) -> Path:
        """Name the file of a record."""
        return self.folder / f"{commitment}.json"

    def state_path(self, commitment: Commitment) -> Path:
        """Name the file of a state."""
        return self.folder / f"{commitment}.safetensors"

    def holds_state(self, commitment: Commitment) -> bool:
        """Tell whether a state's bytes are here, unaltered."""
        return file_matches(self.state_path(commitment), commitment)

    def agree(self, key: ProposalKey, recomputed: Recomputed) -> None:
        """Keep a recomputation that matches its proposal, for the round that builds on it."""
        self.keep_record(recomputed)
        record = recomputed.record
        self._agreed[key] = PreviousRound.of_record(
            recomputed.commitment, Commitment(record.state), recomputed.base_path, record
        )

    def tidy(self, current: RoundNumber, keep: frozenset[Commitment]) -> None:
        """Forget rounds that nobody needs any more, files included.

        Args:
            current: Round that runs now; it and the one before stay.
            keep: States that stay although they are older.
        """
        if self._tidied == (current, keep):  # by another site of this process
            return
        self._tidied = current, keep
        oldest = current - 1
        self._previous = {at: item for at, item in self._previous.items() if at >= oldest}
        self._agreed = {at: item for at, item in self._agreed.items() if at.round >= oldest}
        self._combined = {at: item for at, item in self._combined.items() if at[0].round >= oldest}
        self._settled = {at: item for at, item in self._settled.items() if at[0].round >= oldest}
        states = {str(commitment) for commitment in keep}
        states |= {str(item.state) for item in self._previous.values()}
        states |= {str(item.state) for item in self._agreed.values()}
        states |= {str(item.state) for item in self._combined.values()}
        for path in self.folder.iterdir():
            if path.suffix not in _TIDIED:
                continue
            own = _OWN_NAME.fullmatch(path.name)
            if int(own[1]) < oldest if own else path.stem not in states:
                path.unlink(missing_ok=True)
        if self.vault is not None:
            self.vault.tidy(RoundNumber(oldest))

    def _initial(self) -> PreviousRound:
        ref, plan = self._terms.initial, self._terms.plan
        path = self._blobs.fetch(
            ref.commitment, [ref.locator], plan.model.size_bytes, _FETCH_TIMEOUT_SECONDS
        )
        return PreviousRound(self._terms.plan_commitment, ref.commitment, path, {})

    def _final(self, history: RunHistory, last: RoundNumber) -> PreviousRound:
        """Read a final round's record and state, as the chain names them."""
        key = final_key(history, last)
        proposal = find_proposal(history, key) if key else None
        if key is None or proposal is None:
            raise RuntimeError(f"round {last} is not final")
        if key in self._agreed:
            return self._agreed[key]
        proposed = proposal.proposed
        path = self.record_path(proposed.record)
        if not file_matches(path, proposed.record):
            path = self._record(proposed)
        record = RoundRecord.from_bytes(path.read_bytes(), f"record of round {last}")
        if Commitment(record.state) != proposed.state:
            raise VerificationError(
                "a final record names another state than the chain",
                subject=f"run {self._terms.run}, round {last}",
                expected=proposed.state,
                actual=record.state,
            )
        state = self.state_path(proposed.state)
        if not file_matches(state, proposed.state):
            state = self._blobs.fetch(
                proposed.state,
                [Locator(record.state_locator)],
                self._terms.plan.stored_size_bytes(self._terms.plan.model.size_bytes),
                _FETCH_TIMEOUT_SECONDS,
            )
        if self.vault is not None:
            state = self.vault.of(history, key.attempt_key).open_state(proposed.state, state)
        return PreviousRound.of_record(proposed.record, proposed.state, state, record)

    def _record(self, proposed: RoundProposed) -> Path:
        """Fetch a final record from where its proposer says it is, or else from a member."""
        cap, timeout = MAX_RECORD_SIZE_BYTES, _FETCH_TIMEOUT_SECONDS
        try:
            return self._blobs.fetch(proposed.record, [proposed.record_locator], cap, timeout)
        except (BlobMissingError, VerificationError):
            announced = self._fetcher.announced(proposed.record)
            if not announced:
                raise
        return self._blobs.fetch(proposed.record, announced, cap, timeout)

    def _combine(
        self,
        history: RunHistory,
        key: AttemptKey,
        unavailable: frozenset[SiteId],
        pledge: Pledge | None,
        refused: Mapping[SiteId, Reason],
        masked: MaskedInputs | None,
        encrypted: EncryptedInputs | None,
    ) -> Combined:
        """Combine an attempt's updates, once for each set of unavailable ones."""
        known, attempt = self._combined.get((key, unavailable)), find_attempt(history, key)
        if known is not None and attempt and len(known.verdicts) == len(attempt.submissions):
            return known
        inputs = self._inputs(history, key, unavailable, pledge, refused, masked)
        if self._terms.plan.is_encrypted:
            inputs = replace(inputs, encrypted=encrypted)
        combined = combine(inputs, self._blobs.locate, self.folder, self._threads)
        self._combined[key, unavailable] = combined
        return combined

    def _inputs(
        self,
        history: RunHistory,
        key: AttemptKey,
        unavailable: frozenset[SiteId],
        pledge: Pledge | None,
        refused: Mapping[SiteId, Reason],
        masked: MaskedInputs | None,
    ) -> RoundInputs:
        attempt = find_attempt(history, key)
        if attempt is None:
            raise RuntimeError(f"no attempt {key}")
        absent = unavailable | refused.keys()
        if self._terms.plan.is_encrypted:
            # What is sealed to aggregators is read here by nobody.
            absent = absent | attempt.submissions.keys()
        files = self._paths(attempt, absent, pledge)
        opened = OpenedUpdates(files, {}, None)
        if self.vault is not None:
            seals = self.vault.of(history, key)
            opened = seals.open_updates(attempt.submissions.values(), files)
        return RoundInputs(
            self._terms.plan,
            self._terms.place(key.round, key.attempt),
            self.previous(history, key.round),
            tuple(attempt.submissions.values()),
            opened.paths,
            self._terms.credits,
            attempt.started.cohort,
            self._terms.late_bases(history, key.round),
            {**refused, **opened.refused},
            opened.seal,
            masked,
        )

    def _paths(
        self,
        attempt: AttemptHistory,
        absent: frozenset[SiteId],
        pledge: Pledge | None,
    ) -> Mapping[SiteId, Path | None]:
        paths: dict[SiteId, Path | None] = {}
        for author, submission in attempt.submissions.items():
            if author in absent:
                paths[author] = None
            elif pledge and pledge.commitment == submission.commitment:
                paths[author] = self.folder / pledge.file
            else:
                paths[author] = self._fetcher.path(
                    submission.commitment, self.update_size_limit_bytes
                )
            path = paths[author]
            if author not in absent and (path is None or not path.exists()):
                self._fetcher.drop(submission.commitment)
                raise BlobMissingError(
                    "bytes that were here are gone", subject=f"update of site {author}"
                )
        return paths
