"""A run: who did what in it, what it made, and whether all of it holds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from fednet.audit import AuditReport
from fednet.cli import auditing, claiming, opening, queries, rounds_view, sealing
from fednet.cli.app import App, Signer
from fednet.cli.claiming import Account
from fednet.cli.rounds_view import RoundRow, UpdateRow
from fednet.domain import plan as plans
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import Commitment, RoundNumber, RunId
from fednet.domain.ports import LedgerReader
from fednet.domain.tensors import FloatArray, decode_tensors
from fednet.exports import (
    Gatherer,
    make_statement,
    model_bytes,
    require_free,
    write_files,
    write_html,
)
from fednet.node.terms import read_terms

if TYPE_CHECKING:
    from torch.nn import Module

_Module = TypeVar("_Module", bound="Module")


class OpenHome(Protocol):
    """What a run needs of its home."""

    @property
    def app(self) -> App: ...
    @property
    def reader(self) -> LedgerReader: ...
    @property
    def store(self) -> BlobStore: ...


class Model(Mapping[str, FloatArray]):
    """Hold a model that members vouched for: read-only float32 arrays by name, and their bytes.

    model = home.final_model(1)
    print(dict(model)["weight"].shape, model.round, model.commitment)
    network = model.load_into(torch.nn.Linear(30, 2))
    """

    def __init__(self, data: bytes, round_number: RoundNumber) -> None:
        self.data = data
        """The model's complete canonical file (safetensors)."""
        self.round = round_number
        """The final round that made it."""
        self._arrays, _ = decode_tensors(data, "model")

    def __getitem__(self, name: str) -> FloatArray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        count = sum(array.size for array in self._arrays.values())
        return f"Model(round={self.round}, {len(self)} tensors, {count} parameters)"

    @property
    def commitment(self) -> Commitment:
        """SHA-256 of the file's bytes."""
        return Commitment.of(self.data)

    def load_into(self, module: _Module) -> _Module:
        """Copy the arrays into a torch module of the same names and shapes; return it.

        Raises:
            TrainingError: A name or shape does not fit.
        """
        from fednet.learning.state import write_state

        write_state(module, self._arrays)
        return module

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the file, as `fednet model get` does; return its path.

        Raises:
            SettingsError: It is there already, or the disk does not take it.
        """
        target = Path(path)
        require_free([target], force)
        write_files({target: self.data}, force=force)
        return target


class Run:
    """One run of a home's ledger; made by `Home.run` and `Home.runs`.

    What lists rows gives frozen dataclasses, so that
    ``pandas.DataFrame(run.updates())`` is a table.
    """

    def __init__(self, home: OpenHome, number: RunId) -> None:
        self._home = home
        self.number = number

    def __repr__(self) -> str:
        return f"Run({self.number})"

    @property
    def phase(self) -> str:
        """What the run waits for, or how it ended: ``collecting``, ``completed`` and so on."""
        return self._home.reader.state(self.number).phase.name.lower()

    @property
    def plan(self) -> plans.Plan:
        """The plan that the run is bound to, verified against the chain."""
        entry = queries.opening_of(self._home.reader, self.number)
        return read_terms(self._home.reader, self._home.store, entry.opened).plan

    def rounds(self) -> list[RoundRow]:
        """List the rounds: who submitted, proposed, attested and objected."""
        reader, run = self._home.reader, self.number
        history, sampled = queries.history_of(reader, run), queries.sampled_sites(reader, run)
        return rounds_view.rows_of(history, reader.state(run), sampled)

    def updates(self) -> list[UpdateRow]:
        """List every update that was submitted, and what became of it."""
        return rounds_view.updates_of(queries.history_of(self._home.reader, self.number))

    def credits(self) -> list[Account]:
        """List what each site earned by the latest final round, and what it claimed.

        Raises:
            FednetError: No round is final yet.
        """
        home = self._home
        return claiming.accounts(home.app, home.reader, home.store, self.number)

    def audit(self, *, afresh: bool = False) -> AuditReport:
        """Recompute every aggregate and every credit, from chain and blobs.

        Args:
            afresh: Look again at rounds that were verified on this machine before.

        Returns:
            ``verified``, ``accused`` and ``findings`` say what came of it; it does
            not raise because of what it finds.
        """
        home = self._home
        options = auditing.Options.gather(home.app, (), afresh)
        return auditing.audit_with(home.app, home.reader, home.store, self.number, options)

    def model(
        self, round_number: int | None = None, *, best: bool = False, cluster: int | None = None
    ) -> Model:
        """Take the model of a final round; it is verified against the chain, not audited.

        Args:
            round_number: The latest final round unless given.
            best: Take the round whose model did best at the sites, by the plan's metric.
            cluster: Whose model, where a run has clusters.

        Raises:
            PhaseError: The round is not final, or none is known to be the best.
            BlobMissingError: Nobody serves it.
        """
        home = self._home
        if best and round_number is None:
            round_number = opening.best_round(home.app, home.reader, home.store, self.number)
        state = opening.final_state(home.app, home.reader, home.store, self.number, round_number)
        subject = f"state of round {state.final.round}"
        data = model_bytes(state.data, state.final.state, state.plan, cluster, subject)
        return Model(data, state.final.round)

    def report(
        self,
        path: str | Path,
        *,
        sign: bool = False,
        account: str | None = None,
        password_file: str | Path | None = None,
        force: bool = False,
    ) -> list[Path]:
        """Audit afresh, and write what was found in plain language.

        Args:
            path: Ends in ``.html`` or ``.pdf``.
            sign: Let a keystore vouch for it, in a file beside it.
            account: Keystore that signs; the settings' unless given.
            password_file: Its first line opens the keystore.
            force: Replace files that are there.

        Returns:
            The files that were written.

        Raises:
            SettingsError: A file is there already, or no keystore.
        """
        home, target = self._home, Path(path)
        targets = [target, sealing.signed_path(target)] if sign else [target]
        require_free(targets, force)
        gatherer = Gatherer(home.reader, home.store, home.app.settings().store.timeout_seconds)
        dossier = gatherer.gather(self.number, self.audit(afresh=True))
        statement = make_statement(dossier, int(time.time()))
        signer = Signer(account, Path(password_file) if password_file is not None else None)
        signed = sealing.sign(home.app, signer, statement) if sign else None
        seal = signed.seal if signed else None
        if target.suffix.lower() == ".pdf":
            from fednet.exports.pdf import write_pdf

            files = {target: write_pdf(statement, seal)}
        else:
            files = {target: write_html(statement, seal)}
        if signed is not None:
            files[targets[1]] = signed.to_bytes()
        write_files(files, force=force)
        return list(files)
