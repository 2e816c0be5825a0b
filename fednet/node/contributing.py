"""Carry out what leads from a training to an update that is committed to, through the airlock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fednet.airlock import Passage, promised
from fednet.domain.airlock import AirlockStep
from fednet.domain.history import RunHistory
from fednet.errors import (
    AggregationError,
    AirlockRefusedError,
    DataError,
    FednetError,
    MalformedBlobError,
    PlanError,
    PrivacyError,
    SealedError,
    TaskError,
    TrainingError,
    UnsealingError,
)
from fednet.node import acts
from fednet.node.contribution import Wrapped, prepare_training, wrap_update
from fednet.node.desk import Desk
from fednet.node.examining import Bench
from fednet.node.files import file_matches
from fednet.node.gate import Asking
from fednet.node.passages import Subject
from fednet.node.places import AttemptKey, TrainingOrder, find_attempt
from fednet.node.site import SiteTools
from fednet.node.terms import RunTerms
from fednet.node.view import Pledge
from fednet.node.workshop import Workshop

if TYPE_CHECKING:
    from fednet.node.hiding import Hides
    from fednet.node.masked_acts import MaskedActs

_COSTS_THE_ROUND = (
    AggregationError,
    AirlockRefusedError,
    DataError,
    MalformedBlobError,
    PlanError,
    PrivacyError,
    SealedError,
    TaskError,
    TrainingError,
    UnsealingError,
)
"""What makes a site sit an attempt out instead of trying again."""
_SUBMITTING_SECONDS = 10
"""Before the round's deadline, when an answer would come too late for the update to be sent."""


class Contributing:
    """Train, wrap, pass the airlock, commit; for one run.

    Args:
        tools: What the site acts with.
        terms: Of the run.
        workshop: Where files go.
        desk: Holds the training.
        sat_out: Attempts to which there is no update to give, and why; written here.
        masked: Masks updates, in a masked run.
        encryption: Encrypts them, in an encrypted one.
    """

    def __init__(
        self,
        tools: SiteTools,
        terms: RunTerms,
        workshop: Workshop,
        desk: Desk,
        sat_out: dict[AttemptKey, str],
        masked: MaskedActs | None = None,
        encryption: Hides | None = None,
    ) -> None:
        self._tools = tools
        self._terms = terms
        self._workshop = workshop
        self._desk = desk
        self._sat_out = sat_out
        self._masked = masked
        self._encryption = encryption
        self.bench = Bench(tools, terms, desk)

    def perform(self, act: acts.Act, history: RunHistory, now: int) -> bool:
        """Carry out one act, in seconds since 1970; tell whether it was one of these.

        Raises:
            FednetError: It could not be carried out now; nothing is half done.
        """
        match act:
            case acts.Train(key):
                self._train(key, history, now)
            case acts.Wrap(key):
                self._wrap(key, history, now)
            case acts.Discard(order):
                self._discard(order)
            case acts.Judge(key):
                self._judge(key, history, now)
            case acts.Settle(key, in_time):
                self._settle(key, now, in_time)
            case acts.Release(key):
                self._release(key)
            case acts.Tell(record):
                if self._tools.gate is None or self._tools.airlock_ledger is None:
                    raise RuntimeError("nobody is to be told")
                self._tools.airlock_ledger.record(record)
                self._tools.gate.tell(record)
            case _:
                return False
        return True

    def _train(self, key: AttemptKey, history: RunHistory, now: int) -> None:
        """Begin to train, if it could be paid for; go on at once if that is done already.

        Raises:
            PrivacyError: The update would cost more privacy than is promised or allowed.
            SealedError: The state to start from was sealed before this site was a member.
        """
        self.require_room(key, history)
        try:
            base = self._workshop.previous(history, key.round)
        except SealedError as exc:
            self._give_up(key, exc)
            raise
        work = prepare_training(self._tools, self._terms, self._workshop, key, history, base)
        self._desk.begin(TrainingOrder(key, base.state), work)
        training = self._desk.training
        if training is not None and training.failed:
            self._discard(training.order)
        elif training is not None and training.is_over and self._masked is None:
            # What is masked waits until it is settled who masks.
            self._wrap(key, history, now)

    def _wrap(self, key: AttemptKey, history: RunHistory, now: int) -> None:
        training, trained = self._desk.training, self._desk.trained()
        if training is None:
            raise RuntimeError("nothing is trained")
        try:
            wrapped = wrap_update(
                self._tools,
                self._terms,
                self._workshop,
                key,
                history,
                training.order,
                trained,
                self._masked or self._encryption,
            )
        except _COSTS_THE_ROUND as exc:
            self._give_up(key, exc)
            raise
        if wrapped.passage.refusal is None and self._tools.airlock.policy.looks_inside:
            self.bench.begin(wrapped, trained)
            examination = self.bench.examination
            if examination is not None and examination.is_over:
                self._judge(key, history, now)
            return
        self._pass_out(wrapped, wrapped.passage, history, now)

    def _judge(self, key: AttemptKey, history: RunHistory, now: int) -> None:
        try:
            wrapped, passage = self.bench.take(key)
        except _COSTS_THE_ROUND as exc:
            self._give_up(key, exc)
            raise
        self._pass_out(wrapped, passage, history, now)

    def _pass_out(self, wrapped: Wrapped, passage: Passage, history: RunHistory, now: int) -> None:
        """Put an update to the gate, or commit to it where there is none.

        Raises:
            AirlockRefusedError: A check said no; the update is gone.
        """
        gate, key, refusal = self._tools.gate, wrapped.key, passage.refusal
        if gate is not None:
            asking = Asking(
                self._subject(wrapped, history), wrapped.path.name, passage,
                promised(self._terms.plan),
            )  # fmt: skip
            gate.ask(asking, now, self._until(key, history, now))
        wrapped.forget(refused=refusal is not None)
        if refusal is not None:
            if gate is not None:
                gate.settle(self._terms.run, key, now, in_time=True)
            error = refusal.error()
            self._give_up(key, error)
            raise error
        if gate is None:
            self._commit(key, wrapped)
        if not self._terms.plan.staleness.rounds:
            self._desk.clear()

    def _subject(self, wrapped: Wrapped, history: RunHistory) -> Subject:
        grant = history.consents[self._tools.site].grant
        dataset = self._tools.registered(grant).dataset
        return Subject(
            self._terms.run, wrapped.key, dataset, wrapped.commitment, wrapped.weight,
            wrapped.values, wrapped.expense,
        )  # fmt: skip

    def _until(self, key: AttemptKey, history: RunHistory, now: int) -> int:
        attempt = find_attempt(history, key)
        if attempt is None:
            raise RuntimeError(f"no attempt {key}")
        return max(now, attempt.started.deadline - _SUBMITTING_SECONDS)

    def _settle(self, key: AttemptKey, now: int, in_time: bool) -> None:
        if self._tools.gate is None:
            raise RuntimeError("nothing waits at a gate")
        decision = self._tools.gate.settle(self._terms.run, key, now, in_time=in_time)
        if decision.step is AirlockStep.RETURNED:
            # What was sent back is trained anew, and no second time wrapped.
            self._desk.clear()

    def _release(self, key: AttemptKey) -> None:
        """Commit to an update that was let out; without its bytes it could never be published."""
        if self._tools.gate is None:
            raise RuntimeError("nothing waits at a gate")
        request = self._tools.gate.request(self._terms.run, key)
        path = self._workshop.folder / request.file
        if not file_matches(path, request.update):
            self._sat_out[key] = "the update that the airlock let out is gone from this disk"
            return
        wrapped = Wrapped(
            key, path, path, request.update, request.weight, Passage(), expense=request.expense
        )
        self._commit(key, wrapped)

    def require_room(self, key: AttemptKey, history: RunHistory) -> None:
        """Sit an attempt out whose update could not be paid for.

        Raises:
            PrivacyError: It would cost more privacy than is promised or allowed.
            LedgerError: The ledger does not say what is left.
        """
        treasurer, plan = self._tools.treasurer, self._terms.plan
        if treasurer is None or plan.privacy.mechanism == "none":
            return
        data = self._tools.registered(history.consents[self._tools.site].grant)
        try:
            treasurer.require_room(plan, self._terms.run, key, data.dataset, data.examples)
        except PrivacyError as exc:
            self._give_up(key, exc)
            raise

    def _pay(self, wrapped: Wrapped) -> None:
        """Pay for what noise hides, on the disk and on the ledger, before anything leaves."""
        treasurer, expense = self._tools.treasurer, wrapped.expense
        if treasurer is None or expense is None:
            return
        try:
            treasurer.pay(self._terms.plan, expense, wrapped.key.round)
        except PrivacyError as exc:
            self._give_up(wrapped.key, exc)
            raise

    def _commit(self, key: AttemptKey, wrapped: Wrapped) -> None:
        self._pay(wrapped)
        locator = self._tools.blobs.locate(wrapped.path)
        pledge = Pledge(wrapped.commitment, locator, wrapped.weight, wrapped.path.name)
        self._tools.journal.pledge(self._terms.run, key, pledge)

    def _discard(self, order: TrainingOrder) -> None:
        failure = self._desk.clear()
        if failure is None:
            return
        if isinstance(failure, _COSTS_THE_ROUND):
            self._sat_out[order.key] = _said(failure)
        raise failure

    def _give_up(self, key: AttemptKey, exc: FednetError) -> None:
        self._desk.clear()
        self._sat_out[key] = _said(exc)


def _said(exc: FednetError) -> str:
    """Say why an attempt is sat out, and what may be done about it."""
    return f"{exc}; {exc.hint}" if exc.hint else str(exc)
