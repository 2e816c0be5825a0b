"""An invitation: the one file from which a new institution joins.

Readable by anyone: the deployment, the chain's address, hubs to dial. Sealed
under a random code that travels another way: the private swarm's key, and the
key of a voucher account with a little gas, so that an institution without
funds can apply. The seal (scrypt, RFC 7914; ChaCha20-Poly1305, RFC 8439)
covers the readable part too, so nothing in it can be exchanged unnoticed.
No chain and no store is touched here.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fednet.domain import canonical
from fednet.errors import SettingsError, VerificationError

MAX_SIZE_BYTES = 1 << 16
_CODE_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_CODE_GROUPS, _GROUP_LETTERS = 5, 5
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 15, 8, 1
_HEX = r"^([0-9a-f]{2})+$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Secrets(_Part):
    """What only the invitee may read."""

    swarm_key: str = Field(max_length=1_000)
    """The private swarm's key file; empty if the consortium's swarm is not private."""
    voucher_key: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Private key of an account with a little gas, good for one application."""


class Seal(_Part):
    """A sealed text and what it takes, beside the code, to open it."""

    salt: str = Field(pattern=_HEX)
    nonce: str = Field(pattern=_HEX)
    text: str = Field(pattern=_HEX)


class TaskOffer(_Part):
    """The task the consortium means to learn; the invitee checks its data against it."""

    source: str
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


class Terms(_Part):
    """The part of an invitation that anyone may read."""

    format: Literal["fednet-invitation/1"] = "fednet-invitation/1"
    chain_url: str = Field(pattern=r"^(https?|wss?)://")
    deployment: dict[str, object]
    peers: list[str]
    task: TaskOffer | None = None


class Invitation(_Part):
    """Terms, and secrets sealed to whoever has the code."""

    terms: Terms
    sealed: Seal

    @classmethod
    def sealing(cls, terms: Terms, contents: Secrets, code: str) -> Self:
        """Seal secrets under a code."""
        salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
        data = canonical.encode(contents.model_dump())
        box = ChaCha20Poly1305(_key(code, salt))
        sealed = box.encrypt(nonce, data, canonical.encode(terms.model_dump()))
        return cls(terms=terms, sealed=Seal(salt=salt.hex(), nonce=nonce.hex(), text=sealed.hex()))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read an invitation file; the seal is not opened yet.

        Raises:
            SettingsError: Missing, or no invitation.
        """
        hint = "ask the operator for the file that `fednet site invite` wrote"
        try:
            with path.open("rb") as stream:
                raw = json.loads(stream.read(MAX_SIZE_BYTES).decode("utf-8"))
            return cls.model_validate(raw)
        except OSError as exc:
            raise SettingsError(
                "cannot read the invitation", subject=str(path), actual=exc.strerror, hint=hint
            ) from exc
        except ValidationError as exc:
            first = exc.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "file"
            raise SettingsError(
                f"not an invitation: {field}: {first['msg']}", subject=str(path), hint=hint
            ) from exc
        except (ValueError, RecursionError) as exc:
            raise SettingsError(
                "not an invitation: not JSON", subject=str(path), hint=hint
            ) from exc

    def write(self, path: Path) -> None:
        """Write the file; never over another.

        Raises:
            SettingsError: It exists, or the disk does not take it.
        """
        text = json.dumps(self.model_dump(), indent=2) + "\n"
        try:
            with path.open("x", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as exc:
            raise SettingsError(
                "cannot write the invitation",
                subject=str(path),
                actual=exc.strerror,
                hint="choose another file name",
            ) from exc

    def open(self, code: str) -> Secrets:
        """Open the seal.

        Raises:
            VerificationError: The code is wrong, or the file was altered.
        """
        box = ChaCha20Poly1305(_key(code, bytes.fromhex(self.sealed.salt)))
        bound = canonical.encode(self.terms.model_dump())
        try:
            data = box.decrypt(
                bytes.fromhex(self.sealed.nonce), bytes.fromhex(self.sealed.text), bound
            )
        except (InvalidTag, ValueError) as exc:
            raise VerificationError(
                "the code does not open this invitation",
                subject="invitation",
                hint="type the code as the operator gave it; if it is right, the file was "
                "altered on its way: ask for a new one",
            ) from exc
        return Secrets.model_validate(canonical.decode_object(data, "invitation"))


def new_code() -> str:
    """Make an invitation code of 122 random bits, readable over a telephone."""
    letters = [secrets.choice(_CODE_LETTERS) for _ in range(_CODE_GROUPS * _GROUP_LETTERS)]
    starts = range(0, len(letters), _GROUP_LETTERS)
    return "-".join("".join(letters[at : at + _GROUP_LETTERS]) for at in starts)


def _key(code: str, salt: bytes) -> bytes:
    letters = "".join(letter for letter in code.upper() if letter.isalnum())
    kdf = Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
    return kdf.derive(letters.encode("utf-8"))
