"""Carry out what a site does around its masked update; every act may be interrupted and done again.

A site's secrets of an attempt all grow from one root, so that what is done again
gives the same bytes. Bytes are in the store before the chain hears of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from fednet.codec import Verdict
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Locator, SiteId
from fednet.domain.ledger import Inclusion, pack_inclusion
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Manifest, UpdateFile
from fednet.errors import AggregationError, VerificationError
from fednet.node import acts
from fednet.node.files import write_whole
from fednet.node.masked_update import require_new, write_masked
from fednet.node.masking import Masking
from fednet.node.places import AttemptKey, find_attempt, position_in
from fednet.node.site import SiteTools
from fednet.node.terms import RunTerms
from fednet.node.values import digest_of
from fednet.node.workshop import Workshop
from fednet.privacy.clipping import cut_to_norm, is_within
from fednet.privacy.masking import (
    Masked,
    SiteSecrets,
    Telling,
    Unmasking,
    Values,
    bind,
    deal,
    disclose,
    frozen_of,
    pack_holding,
    receive,
    round_norm,
)

_ROOT_SIZE_BYTES = 32

MaskedAct = (
    acts.Advertise
    | acts.CloseKeys
    | acts.Deal
    | acts.FetchShares
    | acts.Hold
    | acts.ProposeSet
    | acts.AffirmSet
    | acts.Disclose
)


class MaskedActs:
    """Do what was decided around a masked update, for one site in one run.

    Args:
        tools: What the site acts with.
        terms: Of the run.
        workshop: Where files go, and sets are judged.
        masking: What is known of the run's masks.
    """

    def __init__(
        self, tools: SiteTools, terms: RunTerms, workshop: Workshop, masking: Masking
    ) -> None:
        self._tools = tools
        self._run = terms.run
        self._terms = terms
        self._workshop = workshop
        self._masking = masking

    def perform(self, act: MaskedAct, history: RunHistory) -> None:
        """Carry out one act.

        Raises:
            FednetError: It could not be carried out now; nothing is half done.
        """
        match act:
            case acts.Advertise(key):
                self._advertise(key)
            case acts.CloseKeys():
                self._tools.writer.close_keys(self._run)
            case acts.Deal(key):
                self._deal(key)
            case acts.FetchShares(key):
                self._masking.want(key)
            case acts.Hold(key):
                self._hold(key)
            case acts.ProposeSet() | acts.AffirmSet():
                self._settle(act, history)
            case acts.Disclose(key):
                self._disclose(key)

    def secrets(self, key: AttemptKey) -> SiteSecrets:
        """Return this site's secrets of an attempt in which it advertised keys."""
        root = self._tools.journal.notes(self._run).roots[key]
        return SiteSecrets(self._terms.place(*key), self._tools.site, root)

    def cut(
        self, update: dict[str, FloatArray], key: AttemptKey, history: RunHistory
    ) -> tuple[dict[str, FloatArray], bool]:
        """Cut an update to the round's norm, where noise hides each site; tell if it was within.

        Raises:
            StoreError: The last final round's record can be had nowhere.
            VerificationError: It and the chain contradict each other.
        """
        if not self._terms.plan.privacy.hides_sites:
            return update, True
        norm = self._norm(key, history)
        return cut_to_norm(update, norm), is_within(update, norm)

    def _norm(self, key: AttemptKey, history: RunHistory) -> Decimal:
        told = self._workshop.previous(history, key.round).next_norm
        return round_norm(self._terms.plan.privacy, told)

    def hide(
        self,
        key: AttemptKey,
        path: Path,
        file: UpdateFile,
        manifest: Manifest,
        history: RunHistory,
        *,
        within: bool,
    ) -> Commitment:
        """Mask an update in the bytes that leave, and commit to these.

        Args:
            key: The attempt.
            path: Where the bytes go.
            file: The update, cut to the round's norm where noise hides each site.
            manifest: Who did this, where, from which state.
            history: What happened in the run.
            within: Whether it was no longer before it was cut.

        Raises:
            TrainingError: It may not be masked in this attempt, or cannot.
            PrivacyError: It is longer than its noise can hide.
            AggregationError: Nothing can be masked in this attempt.
            SettingsError: The disk refuses.
        """
        journal, masking = self._tools.journal, self._masking
        values, notes = digest_of(file), journal.notes(self._run)
        privacy = self._terms.plan.privacy
        require_new(notes, key, values, masking.frozen_attempts, noisy=privacy.hides_sites)
        if notes.masked.get(key) != values:
            journal.mask(self._run, key, values)
        inputs = masking.inputs(key)
        told: Values = file
        if privacy.adapts:
            told = Telling(file, self._norm(key, history), within)
        with file:
            return write_masked(
                path, told, manifest, inputs.dealers, self.secrets(key), inputs.fixed_point
            )

    def _advertise(self, key: AttemptKey) -> None:
        tools = self._tools
        if key not in tools.journal.notes(self._run).roots:
            tools.journal.root(self._run, key, os.urandom(_ROOT_SIZE_BYTES))
        public = self.secrets(key).public
        tools.writer.advertise_keys(
            self._run, tools.site, key.round, key.attempt, public.mask, public.channel
        )

    def _deal(self, key: AttemptKey) -> None:
        data = deal(self._masking.circle(key), self.secrets(key))
        commitment, locator = self._publish("dealt", key, data)
        self._tools.writer.deal_shares(
            self._run, self._tools.site, key.round, key.attempt, commitment, locator
        )

    def _hold(self, key: AttemptKey) -> None:
        circle, site = self._masking.circle(key), self._tools.site
        received = receive(circle, self.secrets(key), self._masking.dealt(key))
        holding = pack_holding(circle, site, received.held)
        self._tools.writer.hold_shares(self._run, site, key.round, key.attempt, holding)

    def _settle(self, act: acts.ProposeSet | acts.AffirmSet, history: RunHistory) -> None:
        """Propose the set that the bytes give, or affirm it where it is the one proposed."""
        key, tools, masking = act.key, self._tools, self._masking
        pledge = tools.journal.notes(self._run).pledges.get(key)
        verdicts = self._workshop.judge_masked(
            history, key, act.unavailable, pledge, masking.inputs(key)
        )
        inclusion = self._inclusion(verdicts, key, history)
        if isinstance(act, acts.AffirmSet):
            proposed = masking.history.attempt(*key).sets[act.number].proposed
            if proposed.inclusion != inclusion:
                masking.refuse(key, act.number)
                return
        try:
            self._require_enough(verdicts, key, history)
        except (AggregationError, VerificationError):
            masking.refuse(key, act.number)
            raise
        if isinstance(act, acts.ProposeSet):
            tools.writer.propose_set(self._run, tools.site, key.round, key.attempt, inclusion)
        else:
            tools.writer.affirm_set(self._run, tools.site, key.round, key.attempt, act.number)

    def _inclusion(
        self, verdicts: Mapping[SiteId, Verdict], key: AttemptKey, history: RunHistory
    ) -> bytes:
        attempt = find_attempt(history, key)
        assert attempt is not None  # what is judged was submitted to it
        length, packed = attempt.started.roster_length, {}
        for site, verdict in verdicts.items():
            position = position_in(history, site, length)
            if position is not None:
                packed[position] = verdict.inclusion
        return pack_inclusion(packed)

    def _require_enough(
        self, verdicts: Mapping[SiteId, Verdict], key: AttemptKey, history: RunHistory
    ) -> None:
        """Raise unless the sum of what counts could be unmasked."""
        attempt = find_attempt(history, key)
        assert attempt is not None
        submissions = attempt.submissions
        included = {
            site: Masked(submissions[site].commitment, submissions[site].weight)
            for site, verdict in verdicts.items()
            if verdict.inclusion is Inclusion.INCLUDED
        }
        frozen_of(self._masking.dealers(key), self._masking.agreement(key), included)

    def _disclose(self, key: AttemptKey) -> None:
        """Disclose for the frozen set, and for no other ever.

        Raises:
            PhaseError: Shares were disclosed for another set already.
        """
        tools, site, frozen = self._tools, self._tools.site, self._masking.frozen(key)
        held = tools.journal.notes(self._run).bindings.get(key)
        place = self._terms.place(*key)
        known = Unmasking.from_bytes(held, place, site) if held else None
        unmasking = bind(frozen, site, known)
        if known is None:
            tools.journal.bind(self._run, key, unmasking.to_bytes())
        received = receive(self._masking.circle(key), self.secrets(key), self._masking.dealt(key))
        data = disclose(unmasking, frozen, received.held)
        commitment, locator = self._publish("disclosed", key, data)
        tools.writer.disclose_shares(self._run, site, key.round, key.attempt, commitment, locator)

    def _publish(self, what: str, key: AttemptKey, data: bytes) -> tuple[Commitment, Locator]:
        """Hand bytes out to the store; the file stays as long as an update of the round does."""
        path = self._workshop.shares_path(what, key, self._tools.site)
        write_whole(path, data)
        return Commitment.of(data), self._tools.blobs.publish(path)
