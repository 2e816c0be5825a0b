"""Let a keystore's account vouch for a report, and check who did.

The part of wiring that exports need; nothing in ``fednet.exports`` touches a key.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fednet.cli import home
from fednet.cli.app import App, Signer
from fednet.domain.identity import Address, Digest, RunId
from fednet.errors import SettingsError, VerificationError
from fednet.exports import (
    MAX_SIGNED_SIZE_BYTES,
    Seal,
    SignedStatement,
    Statement,
    write_html,
)

if TYPE_CHECKING:
    from fednet.ledger.reports import ReportDigest

SIGNED_SUFFIX = ".sig.json"


def sign(app: App, signer: Signer, statement: Statement) -> SignedStatement:
    """Sign a statement with the chosen keystore.

    Raises:
        SettingsError: No keystore, or another password.
    """
    from fednet.ledger.keystore import unlock
    from fednet.ledger.reports import sign_report

    account = unlock(home.chosen_keystore(app, signer.account), signer.password(app))
    signature = sign_report(_signed_fields(statement), account)
    seal = Seal(account=account.address, signature=signature.hex())
    return SignedStatement(digest=str(statement.digest), seal=seal, statement=statement)


def signed_path(path: Path) -> Path:
    """Name the detached file of a report."""
    return path if path.name.endswith(SIGNED_SUFFIX) else path.with_suffix(SIGNED_SUFFIX)


def verify(path: Path) -> SignedStatement:
    """Check the signature beside a report, and that the report says just what was signed.

    Raises:
        SettingsError: A file cannot be read.
        VerificationError: Something was changed, or somebody else signed.
    """
    from fednet.ledger.reports import verify_report

    detached = signed_path(path)
    signed = SignedStatement.from_bytes(_read(detached), str(detached))
    seal = signed.seal
    verify_report(_signed_fields(signed.statement), seal.account, bytes.fromhex(seal.signature))
    if path != detached:
        _require_same_words(path, signed)
    return signed


def _require_same_words(path: Path, signed: SignedStatement) -> None:
    from fednet.exports.pdf import write_pdf

    layouts = {".html": write_html, ".pdf": write_pdf}
    layout = layouts.get(path.suffix.lower())
    if layout is None:
        raise SettingsError("not a report", subject=str(path), expected=".html, .pdf or .sig.json")
    if _read(path) != layout(signed.statement, signed.seal):
        raise VerificationError(
            "this is not the file that the signed statement gives",
            subject=str(path),
            hint=f"write it again with fednet {signed.statement.fednet}; the statement in"
            f" {signed_path(path).name} is intact",
        )


def _signed_fields(statement: Statement) -> ReportDigest:
    from fednet.ledger.reports import ReportDigest

    return ReportDigest(
        chain_id=statement.chain_id,
        runs=Address(statement.contract),
        run=RunId(statement.run),
        block=statement.block,
        block_hash=Digest(statement.block_hash),
        digest=statement.digest,
    )


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_SIGNED_SIZE_BYTES:
            raise SettingsError("is too large", subject=str(path))
        return path.read_bytes()
    except OSError as exc:
        raise SettingsError(
            "cannot be read",
            subject=str(path),
            actual=exc.strerror,
            hint="keep the .sig.json file beside the report",
        ) from exc
