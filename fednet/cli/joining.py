"""Join from an invitation, step by step; run again, it goes on where it stopped.

1. Open the invitation; write deployment, swarm key, settings.
2. Check the data against the task, behind the walls.
3. Make the site's account and its encryption key.
4. Sign the application, and send it with the invitation's voucher account.
5. Wait for the operator to admit.
6. Register the dataset by its commitment.

What is done is read from the home directory and the chain, never remembered
apart. No secret is kept in the clear but the swarm key, which Kubo reads.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from fednet.airlock import read_policy
from fednet.cli import applying, home, output, private_data, settings, wiring
from fednet.cli.app import App, Signer, ask_secret
from fednet.cli.invitation import Invitation, Secrets
from fednet.cli.private_data import Chosen
from fednet.domain.identity import DatasetId, SiteId
from fednet.domain.ledger import Standing
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.errors import PlanError, SettingsError

ACCOUNT = "site"
"""Name of the keystore that joining makes."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the invitee says on the command line."""

    invitation: Path
    code: str | None
    """None: ask for it when it is needed."""
    name: str | None
    data: Path | None
    task: str | None
    policy: Path | None
    listen: str | None
    description: bytes
    waits: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """How far joining came."""

    site: SiteId
    dataset: DatasetId | None
    """None while the operator has not admitted the site."""


def join(app: App, request: Request, signer: Signer) -> Joined:
    """Take every step that is still to be taken."""
    invitation = Invitation.read(request.invitation)
    voucher = _unpack(app, invitation, request)
    chosen, examples = _check_data(app, invitation, request)
    signing = _account(app, signer)
    key = applying.encryption_keys(app, signer).public_key()
    reader = wiring.reader(app)
    site = applying.applied_site(reader, signing)
    if not site:
        name = request.name or app.settings().site.name
        if not name:
            raise SettingsError(
                "no name", hint="give --name, the name of the institution; never a person's"
            )
        sending = wiring.writer_for_key(app, voucher or _open(invitation, request).voucher_key)
        with output.working("applying"):
            site = applying.apply(
                app, signing, sending, name, request.description, key, wiring.own_address(app)
            )
    app.update({"site": {"id": int(site)}})
    output.say(f"site {site} applied with account {signing.address}")
    if not _admitted(app, reader, site, request.waits):
        return Joined(site, None)
    with output.working("registering the dataset"):
        dataset = private_data.register(app, reader, signing, site, chosen, b"", examples)
    return Joined(site, dataset)


def _unpack(app: App, invitation: Invitation, request: Request) -> str:
    """Write what the invitation brings; return the voucher's key if it had to be opened.

    Nothing of an invitation is believed before its seal is open, which is once:
    the swarm key, written last, tells that it was.
    """
    terms = invitation.terms
    _require_same_consortium(app, invitation)
    stored, raw = app.settings(), settings.read_raw(app.home)
    values: dict[str, dict[str, object]] = {"store": {}, "site": {}}
    if request.listen is not None:
        values["store"]["listen"] = request.listen
    if request.name is not None:
        values["site"]["name"] = request.name
    if request.policy is not None:
        read_policy(request.policy)
        values["airlock"] = {"policy": str(request.policy.absolute())}
    if app.path(stored.store.swarm_key).exists() and app.path(stored.chain.deployment).exists():
        app.update(values)
        return ""
    opened = _open(invitation, request)
    home.write_deployment(app, terms.deployment)
    values["store"]["peers"] = terms.peers
    # What the site's administrator has set before stays as it is.
    if "url" not in raw.get("chain", {}):
        values["chain"] = {"url": terms.chain_url}
    app.update(values)
    home.write_swarm_key(app, bytes.fromhex(opened.swarm_key))
    return opened.voucher_key


def _require_same_consortium(app: App, invitation: Invitation) -> None:
    present = app.path(app.settings().chain.deployment)
    if present.exists() and home.read_deployment(app) != invitation.terms.deployment:
        raise SettingsError(
            "this home belongs to another consortium",
            subject=str(app.home),
            hint="join with another home: fednet --home DIRECTORY node join INVITATION",
        )


def _open(invitation: Invitation, request: Request) -> Secrets:
    return invitation.open(request.code or ask_secret("code of the invitation", "--code-file FILE"))


def _account(app: App, signer: Signer) -> LedgerWriter:
    """Open the site's keystore; the first call makes it."""
    name = signer.account or app.settings().account.keystore or ACCOUNT
    path = home.keystore_path(app, name)
    if not path.exists():
        password = signer.password(app, new=True)
        with output.working("making the site's key"):
            wiring.create_keystore(app, path, password)
    app.update({"account": {"keystore": name}})
    return wiring.writer(app, signer)


def _check_data(app: App, invitation: Invitation, request: Request) -> tuple[Chosen, int]:
    offer = invitation.terms.task
    task = request.task or app.settings().task.source or (offer.source if offer else None)
    chosen = private_data.choose(app, request.data, task)
    if offer is not None and offer.source == chosen.task:
        actual = str(wiring.task_digest(chosen.task))
        if actual != offer.digest:
            raise PlanError(
                "the task's code on this machine is not the consortium's",
                subject=chosen.task,
                expected=offer.digest,
                actual=actual,
                hint="install the version of fednet, or of the task, that the operator uses",
            )
    with output.working("checking the data against the task"):
        inspection = private_data.inspect(app, chosen)
    output.say(f"data: {private_data.describe(inspection)}")
    app.update({"data": {"path": str(chosen.path)}, "task": {"source": chosen.task}})
    return chosen, inspection.examples


def _admitted(app: App, reader: LedgerReader, site: SiteId, waits: bool) -> bool:
    """Wait until the operator decides; False if nobody is to wait.

    Raises:
        SettingsError: The operator refused.
    """
    poll_seconds = app.settings().node.poll_seconds
    standing = reader.site(site).standing
    if standing is Standing.APPLIED and waits:
        with output.working(f"waiting for the operator: fednet site admit {site}"):
            while standing is Standing.APPLIED:
                time.sleep(poll_seconds)
                standing = reader.site(site).standing
    if standing in (Standing.SUSPENDED, Standing.REVOKED):
        raise SettingsError(
            "the operator does not let this site act",
            subject=f"site {site}",
            actual=standing.name.lower(),
            hint="ask the operator",
        )
    return standing is Standing.ACTIVE
