"""Tell whose account signed a piece of typed data (EIP-712)."""

from __future__ import annotations

from eth_account import Account
from eth_account.messages import SignableMessage

from fednet.errors import VerificationError


def require_signer(signable: SignableMessage, signature: bytes, account: str, subject: str) -> None:
    """Raise unless the account that is named signed.

    Raises:
        VerificationError: Somebody else signed, or nobody.
    """
    try:
        # Which exceptions a malformed signature meets inside the library is not documented.
        signer = str(Account.recover_message(signable, signature=signature))
    except Exception as exc:
        raise VerificationError(
            "the signature is none", subject=subject, actual=str(exc)[:80]
        ) from None
    if signer.lower() != account.lower():
        raise VerificationError(
            "the signature is not of the account that is named",
            subject=subject,
            expected=account,
            actual=signer,
        )
