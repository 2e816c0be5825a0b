"""What an institution needs to be invited and to apply."""

from __future__ import annotations

from pathlib import Path

from fednet.cli import home, output, settings, wiring
from fednet.cli.app import App, Signer
from fednet.cli.invitation import Invitation, Secrets, TaskOffer, Terms
from fednet.domain import canonical
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.ledger import Application
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.errors import SettingsError
from fednet.privacy.sealing import EncryptionKeys

_APPLICATION_SECONDS = 7 * 86_400


def invite(
    app: App,
    writer: LedgerWriter,
    file: Path,
    code: str,
    chain_url: str | None,
    peers: tuple[str, ...],
    gas_wei: int,
    task: str | None,
) -> None:
    """Fund a voucher account, and write the invitation that carries its key.

    Raises:
        SettingsError: The file is there already.
    """
    if file.exists():
        raise SettingsError(
            "is there already", subject=str(file), hint="choose another name for the invitation"
        )
    stored = app.settings()
    hubs = list(peers) or wiring.hub_addresses(app)
    if not hubs:
        output.say(
            "note: no hub is named, so the invitee will reach no store; run one with"
            " `fednet store start --listen ADDRESS` or give --peer, and invite anew"
        )
    offer = TaskOffer(source=task, digest=str(wiring.task_digest(task))) if task else None
    terms = Terms(
        chain_url=chain_url or stored.chain.url,
        deployment=home.read_deployment(app),
        peers=hubs,
        task=offer,
    )
    key, address = wiring.new_account()
    contents = Secrets(swarm_key=home.swarm_key(app).hex(), voucher_key=key)
    invitation = Invitation.sealing(terms, contents, code)
    writer.send_wei(address, gas_wei)
    invitation.write(file)


def encryption_keys(app: App, signer: Signer) -> EncryptionKeys:
    """Find the site's X25519 pairs, sealed under the keystore's password."""
    return EncryptionKeys(app.home / home.KEYSTORES, signer.password(app).encode("utf-8"))


def apply(
    app: App,
    signing: LedgerWriter,
    sending: LedgerWriter,
    name: str,
    description: bytes,
    key: bytes,
    store_address: str,
) -> SiteId:
    """Sign an application with the site's own account, and let any account send it."""
    about = description or canonical.encode({"name": name})
    settings.write_durably(app.home / "description.txt", about, private=False)
    application = Application(
        account=signing.address,
        name=name,
        metadata=Commitment.of(about),
        encryption_key=key,
        store_address=store_address,
        deadline=wiring.reader(app).head().timestamp + _APPLICATION_SECONDS,
    )
    receipt = sending.apply_for(application, signing.sign_application(application))
    site = SiteId(receipt.created)
    app.update({"site": {"id": int(site), "name": name}})
    return site


def applied_site(reader: LedgerReader, signing: LedgerWriter) -> SiteId:
    """Find the site of an account that applied before; 0 if it has not."""
    return reader.account(signing.address)[0]
