"""A new key for the private swarm: drawn and handed out by the operator, accepted by members."""

from __future__ import annotations

import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fednet.cli import applying, home, queries, wiring
from fednet.cli.app import App, Signer
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.ledger import Role, Standing
from fednet.domain.ports import LedgerReader
from fednet.errors import FednetError, SettingsError, VerificationError
from fednet.privacy.sealing.swarm_letters import KEY_SIZE_BYTES, SIZE_CAP_BYTES, SwarmLetter


class _File(BaseModel):
    """What is sent: a letter, and which operator wrote it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str = Field(pattern=r"^0x[0-9a-fA-F]{40}$")
    signature: str = Field(pattern=r"^[0-9a-f]{130}$")
    letter: str = Field(max_length=SIZE_CAP_BYTES)


def rekey(app: App, file: Path, signer: Signer) -> int:
    """Draw a key, write it to every active member, and use it here; return to how many.

    Raises:
        SettingsError: The file is there already, or the account is no operator's.
    """
    from fednet.ledger.keystore import unlock
    from fednet.ledger.swarm_letters import sign_swarm_letter

    home.require_deployment(app)
    if file.exists():
        raise SettingsError("is there already", subject=str(file), hint="choose another name")
    reader, before = wiring.reader(app), home.swarm_key(app)
    account = unlock(home.chosen_keystore(app, signer.account), signer.password(app))
    _require_operator(reader, account.address)
    members = {
        entry.site.site: entry.site.encryption_key
        for entry in queries.sites(reader)
        if entry.site.standing is Standing.ACTIVE
    }
    key, deployment = secrets.token_bytes(KEY_SIZE_BYTES), reader.deployment
    place = deployment.chain_id, deployment.site_registry
    letter = SwarmLetter.seal(*place, key, before, members).to_bytes()
    signature = sign_swarm_letter(*place, Commitment.of(letter), account)
    sent = _File(account=account.address, signature=signature.hex(), letter=letter.decode("ascii"))
    home.write_new(file, sent.model_dump_json().encode("ascii"))
    home.write_swarm_key(app, key)
    return len(members)


def accept(app: App, file: Path, signer: Signer) -> None:
    """Use the key that an operator's letter has for this site.

    Raises:
        SettingsError: The file is no letter, or this home belongs to no site.
        VerificationError: No operator of this consortium wrote it.
        UnsealingError: It has no key for this site, or another key has to come first.
    """
    from fednet.ledger.swarm_letters import verify_swarm_letter

    reader, site = wiring.reader(app), SiteId(app.settings().site.id)
    if not site:
        raise SettingsError("this home belongs to no site", hint="join with `fednet node join`")
    sent, deployment = _read(file), reader.deployment
    data = sent.letter.encode("utf-8")
    place = deployment.chain_id, deployment.site_registry
    verify_swarm_letter(*place, Commitment.of(data), sent.account, bytes.fromhex(sent.signature))
    _require_operator(reader, sent.account)
    letter = SwarmLetter.from_bytes(data, str(file))
    keys = applying.encryption_keys(app, signer)
    private = keys.holding(reader.site(site).encryption_key)
    home.write_swarm_key(app, letter.open(site, private, home.swarm_key(app)))


def _read(file: Path) -> _File:
    try:
        if file.stat().st_size > 2 * SIZE_CAP_BYTES:
            raise ValueError("too large")
        return _File.model_validate_json(file.read_bytes())
    except (OSError, ValidationError, ValueError) as exc:
        raise SettingsError(
            "is no letter with a swarm's key",
            subject=str(file),
            hint="the operator writes it with `fednet store rekey`",
        ) from exc


def _require_operator(reader: LedgerReader, account: str) -> None:
    try:
        roles = reader.account(wiring.address(account))[1]
    except FednetError as exc:
        raise VerificationError("its account is not known", subject=account) from exc
    if not roles & Role.OPERATOR:
        raise VerificationError(
            "the account is no operator's",
            subject=account,
            hint="only an operator of this consortium may hand out the swarm's key",
        )
