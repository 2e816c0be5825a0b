"""The gate of a site's airlock: requests wait in a durable queue until they are decided.

Each step is on the disk when a method returns, so that a node killed anywhere
goes on from the book: a request is never decided twice, an update never leaves
undecided, and what was spent of a dataset is not forgotten. One process holds the
gate at a time; reviewers write answers beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from fednet.airlock import (
    AirlockPolicy,
    Passage,
    Promises,
    Spending,
    check_budget,
    first_refusal,
)
from fednet.domain.airlock import AirlockRecord, AirlockStep
from fednet.domain.identity import ZERO_DIGEST, DatasetId, Digest, RunId, SiteId
from fednet.domain.ledger import Deployment
from fednet.node.answers import Ruling, answer_for
from fednet.node.passages import Subject, write_report
from fednet.node.places import AttemptKey
from fednet.node.requests import (
    BOOK,
    HINT,
    WHAT,
    Book,
    Decision,
    Request,
    folder_of,
    request_fields,
)
from fednet.node.sealed_log import SealedLog
from fednet.node.view import Held

_ZERO = Promises()


@dataclass(frozen=True, slots=True)
class Asking:
    """An update that is put to the gate."""

    subject: Subject
    file: str
    """Name within the run's folder."""
    passage: Passage
    promises: Promises = _ZERO
    """What the run's plan promises to spend."""


class Gate:
    """Keep the requests of one site, and decide on them.

    Args:
        parent: Folder of a home's airlocks.
        deployment: Consortium whose runs are meant.
        site: The site.
        policy: Its own.

    Raises:
        SettingsError: Another node holds the gate, its book is damaged, or the disk refuses.
    """

    def __init__(
        self, parent: Path, deployment: Deployment, site: SiteId, policy: AirlockPolicy
    ) -> None:
        self.folder = folder_of(parent, deployment, site)
        self._policy = policy
        self._book = Book()
        self._lock = RLock()
        self._log = SealedLog(self.folder / BOOK, WHAT, self._book.fold, HINT)

    def close(self) -> None:
        """Let another process have the gate."""
        self._log.close()

    def ask(self, asking: Asking, now: int, until: int) -> Request:
        """Put an update to the gate; again for the same attempt only after its bytes changed.

        Args:
            asking: The update, with what its checks said.
            now: Seconds since 1970.
            until: When it would be too late for this round.
        """
        subject, rules = asking.subject, self._policy.gate
        refusal = asking.passage.refusal
        with self._lock:
            known = self._book.of(subject.run, subject.key)
            if known is not None and known.update == subject.update:
                return known
            number = len(self._book.requests) + 1
            request = Request(
                number=number,
                run=subject.run,
                key=subject.key,
                dataset=subject.dataset,
                update=subject.update,
                weight=subject.weight,
                file=asking.file,
                report=write_report(self.folder, number, subject, asking.passage),
                asked=now,
                deadline=min(now + rules.answer_seconds, until) if rules.human else until,
                is_human=rules.human,
                refusal=refusal.sentence if refusal else "",
                epsilon=asking.promises.epsilon or _NOTHING.epsilon,
                delta=asking.promises.delta or _NOTHING.delta,
                values=subject.values,
                expense=subject.expense,
            )
            self._log.append(request_fields(request), synced=True)
            return request

    def held(self, run: RunId) -> Mapping[AttemptKey, Held]:
        """Say where each request of a run stands that is open, or of its last rounds."""
        with self._lock:
            return {request.key: self._held(request) for request in self._book.recent(run)}

    def request(self, run: RunId, key: AttemptKey) -> Request:
        """Return the request for an attempt's update."""
        with self._lock:
            found = self._book.of(run, key)
        if found is None:
            raise RuntimeError(f"nothing was asked for {key} of run {run}")
        return found

    def settle(self, run: RunId, key: AttemptKey, now: int, *, in_time: bool) -> Decision:
        """Decide on a request: by its checks, an answer, the budget, or because time is up.

        Args:
            run: The run.
            key: The attempt.
            now: Seconds since 1970.
            in_time: Whether the attempt still takes updates.

        Raises:
            RuntimeError: Nothing decides it yet.
        """
        with self._lock:
            request = self.request(run, key)
            known = self._book.decisions.get(request.number)
            return known or self._decide(request, now, in_time)

    def untold(self, run: RunId) -> tuple[AirlockRecord, ...]:
        """List the steps of a run's requests that the ledger was not told of, in order."""
        with self._lock:
            return tuple(each for each in self._book.untold.values() if each.run == run)

    def tell(self, record: AirlockRecord) -> None:
        """Note that a step stands on the ledger."""
        with self._lock:
            number = next(at for (at, _), each in self._book.untold.items() if each == record)
            line = {"kind": "told", "number": number, "step": record.step.value}
            self._log.append(line, synced=False)

    def spent(self, dataset: DatasetId) -> Spending:
        """Add up what was let out of a dataset, over all runs."""
        with self._lock:
            return self._book.spent(dataset)

    def has_begun(self, run: RunId) -> bool:
        """Tell whether an update was let out in a run."""
        with self._lock:
            return self._book.has_begun(run)

    def _held(self, request: Request) -> Held:
        decision = self._book.decisions.get(request.number)
        waits = decision is None and request.is_human and not request.refusal
        return Held(
            request.number,
            request.deadline,
            waits and answer_for(self.folder, self._book, request) is None,
            decision.step if decision else None,
            decision.why if decision else "",
            request.asked,
        )

    def _decide(self, request: Request, now: int, in_time: bool) -> Decision:
        if request.refusal:
            return self._note(request, AirlockStep.REJECTED, now, request.refusal)
        answer = answer_for(self.folder, self._book, request) if request.is_human else None
        if answer is not None and answer.ruling is not Ruling.APPROVED:
            step = AirlockStep(answer.ruling.value)
            return self._note(request, step, now, f"a reviewer {step} it", answer.commitment)
        if not in_time:
            why = "the round went on before it was decided"
            return self._note(request, AirlockStep.EXPIRED, now, why)
        if answer is not None:
            return self._approve(request, now, "a reviewer approved it", answer.commitment)
        if not request.is_human:
            return self._approve(request, now, "every check of the policy passed")
        if now <= request.deadline:
            raise RuntimeError(f"request {request.number} waits for an answer")
        if self._policy.gate.unanswered == "release":
            return self._approve(request, now, "nobody answered in time, and every check passed")
        return self._note(request, AirlockStep.EXPIRED, now, "nobody answered in time")

    def _approve(
        self, request: Request, now: int, why: str, reason: Digest = ZERO_DIGEST
    ) -> Decision:
        """Approve a request if the dataset's budget allows it."""
        begun = self._book.has_begun(request.run)
        wanted = Spending(1) if begun else Spending(1, request.epsilon, request.delta)
        spent = self._book.spent(request.dataset)
        refusal = first_refusal(check_budget(self._policy, request.dataset, spent, wanted))
        if refusal is not None:
            return self._note(request, AirlockStep.REJECTED, now, refusal.sentence, reason)
        return self._note(request, AirlockStep.APPROVED, now, why, reason)

    def _note(
        self,
        request: Request,
        step: AirlockStep,
        now: int,
        why: str,
        reason: Digest = ZERO_DIGEST,
    ) -> Decision:
        line: dict[str, object] = {
            "kind": "decided",
            "number": request.number,
            "step": step.value,
            "at": now,
            "why": why,
            "reason": str(reason),
        }
        self._log.append(line, synced=True)
        return self._book.decisions[request.number]


_NOTHING = Spending()
