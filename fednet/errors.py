"""Every error fednet raises on purpose, in one tree.

FednetError                      fields, hint, retryable, exit_code
├── SettingsError                this machine is set up wrongly            2
├── PlanError                    the plan is malformed or not the agreed one 2
├── PhaseError                   a legal act at the wrong time             7
├── VerificationError            the evidence does not hold                3
│   ├── DigestMismatchError      bytes do not hash to their commitment
│   ├── MalformedBlobError       bytes are not in their canonical form
│   ├── UnsealingError           a key does not open what it was to open
│   └── DeploymentMismatchError  the chain is not the deployment's
├── SealedError                  no key to it is here; carries the commitment 9
│   └── ErasedError              its keys were destroyed; carries the grounds
├── AggregationError             the updates cannot be combined            3
│   ├── QuorumError              too few
│   ├── DecryptionError          their encrypted sum is no sum of updates
│   └── ShapeMismatchError       they do not describe the same model
├── AirlockRefusedError          a check said no; carries the check        4
├── PrivacyError                 a privacy promise cannot be kept          4
│   └── BudgetExceededError      it would spend more than was promised
├── LedgerError                                                            5
│   ├── LedgerUnavailableError   worth retrying
│   ├── RevertedError            the contract refused; its error and arguments
│   ├── FundsError               the account cannot pay for gas
│   └── HeadMovedError           the chain reorganised under us
├── StoreError                                                             6
│   ├── BlobMissingError         nobody served it within the stated time
│   └── StoreUnavailableError    worth retrying
├── TrainingError                loss not finite, data does not fit the model 8
│   └── DataError                the private data cannot be used as it is
└── TaskError                    the task's code broke a rule or a wall    8

Fields come before prose: the message is built from ``subject``, ``expected``
and ``actual``, and tests assert those. Mistakes in the order of calls by our
own code are ``RuntimeError``, never one of these.
"""

from __future__ import annotations

from typing import ClassVar


class FednetError(Exception):
    """Say what was expected, what came, about what, and what to do next."""

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        subject: str = "",
        expected: object = None,
        actual: object = None,
        hint: str = "",
    ) -> None:
        self.message = message
        self.subject = subject
        self.expected = expected
        self.actual = actual
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        parts = [f"{self.subject}: {self.message}" if self.subject else self.message]
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        if self.actual is not None:
            parts.append(f"got {self.actual}")
        return "; ".join(parts)


class SettingsError(FednetError):
    """Report that this machine, its settings or its files are set up wrongly."""

    exit_code = 2


class PlanError(FednetError):
    """Report a plan that is malformed, impossible, or not the agreed one."""

    exit_code = 2


class PhaseError(FednetError):
    """Report a legal act at the wrong time."""

    exit_code = 7


class VerificationError(FednetError):
    """Report that the evidence does not hold."""

    exit_code = 3


class DigestMismatchError(VerificationError):
    """Report bytes that do not hash to their commitment."""


class MalformedBlobError(VerificationError):
    """Report bytes that are not in the canonical form they claim."""


class UnsealingError(VerificationError):
    """Report sealed bytes that a key does not open in their place."""


class DeploymentMismatchError(VerificationError):
    """Report a chain or contract that is not the deployment's."""


class SealedError(FednetError):
    """Carry the commitment of a blob that nobody here has a key to.

    Not a ``VerificationError``: what cannot be read is neither right nor wrong.
    """

    exit_code = 9

    def __init__(self, message: str, *, commitment: bytes, **fields: object) -> None:
        self.commitment = commitment
        super().__init__(message, **fields)  # type: ignore[arg-type]


class ErasedError(SealedError):
    """Carry the grounds on which the keys to a blob were destroyed, and when."""

    def __init__(
        self,
        message: str,
        *,
        commitment: bytes,
        grounds: bytes,
        erased_at: int,
        **fields: object,
    ) -> None:
        self.grounds = grounds
        self.erased_at = erased_at
        super().__init__(message, commitment=commitment, **fields)


class AggregationError(FednetError):
    """Report updates that cannot be combined."""

    exit_code = 3


class QuorumError(AggregationError):
    """Report fewer updates than the plan asks for."""


class DecryptionError(AggregationError):
    """Report an encrypted sum that decrypts to what updates cannot have."""


class ShapeMismatchError(AggregationError):
    """Report tensors that do not describe the same model."""


class AirlockRefusedError(FednetError):
    """Report the check that kept an update inside its site."""

    exit_code = 4

    def __init__(self, message: str, *, check: str, **fields: object) -> None:
        self.check = check
        super().__init__(message, **fields)  # type: ignore[arg-type]


class PrivacyError(FednetError):
    """Report that a promise of privacy cannot be kept, or cannot be stated."""

    exit_code = 4


class BudgetExceededError(PrivacyError):
    """Report a release that would spend more privacy than was promised or is allowed."""


class LedgerError(FednetError):
    """Report a failure of the chain or of what it was asked."""

    exit_code = 5


class LedgerUnavailableError(LedgerError):
    """Report a chain that does not answer."""

    retryable = True


class RevertedError(LedgerError):
    """Carry the refusal of a contract: its error's name and arguments."""

    def __init__(
        self,
        message: str,
        *,
        error: str,
        arguments: dict[str, object] | None = None,
        **fields: object,
    ) -> None:
        self.error = error
        self.arguments = arguments or {}
        super().__init__(message, **fields)  # type: ignore[arg-type]


class FundsError(LedgerError):
    """Report an account that cannot pay for its transaction."""


class HeadMovedError(LedgerError):
    """Report that the chain reorganised or went back under us."""


class StoreError(FednetError):
    """Report a failure of the blob store."""

    exit_code = 6


class BlobMissingError(StoreError):
    """Report a blob that nobody served within the stated time."""


class StoreUnavailableError(StoreError):
    """Report a store that does not answer."""

    retryable = True


class TrainingError(FednetError):
    """Report training that cannot go on: loss not finite, data unfit."""

    exit_code = 8


class DataError(TrainingError):
    """Report private data that cannot be used as it is."""


class TaskError(FednetError):
    """Report a task whose code broke a rule or ran into a wall."""

    exit_code = 8
