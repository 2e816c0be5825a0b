"""What a person does next about an error that brings no hint of its own."""

from __future__ import annotations

from collections.abc import Mapping

from fednet import errors

REMEDIES: Mapping[type[errors.FednetError], str] = {
    errors.FednetError: "run again with `fednet --verbose` to see where it comes from",
    errors.SettingsError: "`fednet doctor` examines this home and its settings",
    errors.PlanError: "`fednet plan new` writes a plan to start from, `fednet plan check` reads it",
    errors.PhaseError: "`fednet run status RUN` shows where the run stands",
    errors.VerificationError: "get it again from whoever made it; if that does not help, show it to"
    " the operator",
    errors.SealedError: "members of the round can read it; an auditor asks the consortium for a"
    " grant of keys",
    errors.ErasedError: "nobody can read it any more; whoever destroyed the keys has the grounds",
    errors.AggregationError: "`fednet run status RUN` shows who took part",
    errors.AirlockRefusedError: "the check that is named says what must not leave this site",
    errors.PrivacyError: "`fednet privacy plan FILE` tells what a plan costs; ask for one that"
    " promises less noise-free work, or leave the run",
    errors.LedgerError: "`fednet chain status` tells whether the chain answers, `fednet doctor`"
    " what else is amiss",
    errors.StoreError: "`fednet store status` shows the store and its peers, `fednet doctor` what"
    " else is amiss",
    errors.TrainingError: "`fednet doctor` tries the data with the task; the plan sets how it is"
    " trained",
    errors.DataError: "mend the file or name another one; `fednet doctor` tries it with the task",
    errors.TaskError: "this is for whoever wrote the task's code",
}


def remedy_of(error: errors.FednetError) -> str:
    """Return the error's own hint, else what helps with its kind."""
    kinds = (kind for kind in type(error).__mro__ if issubclass(kind, errors.FednetError))
    return error.hint or next(REMEDIES[kind] for kind in kinds if kind in REMEDIES)
