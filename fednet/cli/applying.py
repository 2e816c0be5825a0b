"""What an institution needs to be invited and to apply."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from fednet.cli import home, output, settings, wiring
from fednet.cli.app import App, Signer
from fednet.cli.invitation import Invitation, Secrets, TaskOffer, Terms
from fednet.domain import canonical
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.ledger import Application
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.errors import SettingsError

_APPLICATION_SECONDS = 7 * 86_400
ENCRYPTION_KEY = Path("keystores", "encryption.pem")


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


def encryption_key(app: App, signer: Signer) -> bytes:
    """Return the site's X25519 public key; the first call makes the pair.

    The private half lies sealed under the keystore's password.

    Raises:
        SettingsError: The password does not open it.
    """
    path = app.home / ENCRYPTION_KEY
    password = signer.password(app).encode("utf-8")
    private = _read_key(path, password) if path.exists() else _make_key(path, password)
    return private.public_key().public_bytes_raw()


def rotate_key(app: App, signer: Signer, announce: Callable[[bytes], object]) -> None:
    """Make another pair, announce its public half, and only then put it in force here.

    What was sealed for the old key is still opened with its file.
    """
    encryption_key(app, signer)
    path = app.home / ENCRYPTION_KEY
    fresh = path.with_suffix(".new")
    password = signer.password(app).encode("utf-8")
    # A pair left by an interrupted rotation may be announced already: never lose it.
    private = _read_key(fresh, password) if fresh.exists() else _make_key(fresh, password)
    announce(private.public_key().public_bytes_raw())
    kept = len(list(path.parent.glob("encryption-*.pem"))) + 1
    path.rename(path.with_name(f"encryption-{kept}.pem"))
    fresh.rename(path)


def _read_key(path: Path, password: bytes) -> X25519PrivateKey:
    try:
        private = load_pem_private_key(path.read_bytes(), password)
    except (ValueError, TypeError, OSError) as exc:
        raise SettingsError(
            "cannot open the encryption key",
            subject=str(path),
            hint="it is sealed under the same password as the keystore",
        ) from exc
    if not isinstance(private, X25519PrivateKey):
        raise SettingsError("not an X25519 key", subject=str(path))
    return private


def _make_key(path: Path, password: bytes) -> X25519PrivateKey:
    private = X25519PrivateKey.generate()
    sealing = BestAvailableEncryption(password)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing)
    settings.write_durably(path, pem, private=True)
    return private


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
