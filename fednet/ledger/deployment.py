"""The deployment file: where the contracts of one consortium live, as JSON.

Holds no secret; hand it to everybody. Reading checks every field, because the
file decides which chain and which code are believed.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fednet.domain.identity import Address, Digest
from fednet.domain.ledger import Deployment, Modules
from fednet.errors import SettingsError
from fednet.ledger.abi import CONTRACTS
from fednet.ledger.codec import to_address

FORMAT = "fednet-deployment/1"
_HEX64 = r"^[0-9a-f]{64}$"
_ADDRESS = r"^0x[0-9a-fA-F]{40}$"
_HINT = "ask the consortium's operator for the deployment file"


class _Addresses(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    site_registry: str = Field(pattern=_ADDRESS)
    data_access: str = Field(pattern=_ADDRESS)
    runs: str = Field(pattern=_ADDRESS)
    credits: str = Field(pattern=_ADDRESS)
    disclosures: str = Field(pattern=_ADDRESS)
    masking: str = Field(pattern=_ADDRESS)


class _Modules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    plain: str = Field(pattern=_ADDRESS)
    batched: str = Field(pattern=_ADDRESS)
    sampled: str = Field(pattern=_ADDRESS)
    masked: str = Field(pattern=_ADDRESS)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: str = Field(pattern=f"^{FORMAT}$")
    chain_id: int = Field(ge=1)
    genesis_hash: str = Field(pattern=_HEX64)
    block: int = Field(ge=0)
    contracts: _Addresses
    modules: _Modules
    """Rounds modules, by the plan's word for them."""
    code_hashes: dict[str, str]

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        return cls(
            format=FORMAT,
            chain_id=deployment.chain_id,
            genesis_hash=str(deployment.genesis_hash),
            block=deployment.block,
            contracts=_Addresses(
                site_registry=deployment.site_registry,
                data_access=deployment.data_access,
                runs=deployment.runs,
                credits=deployment.credits,
                disclosures=deployment.disclosures,
                masking=deployment.masking,
            ),
            modules=_Modules(**asdict(deployment.modules)),
            code_hashes={name: str(code) for name, code in deployment.code_hashes},
        )


def encode_deployment(deployment: Deployment) -> str:
    """Return the file's text."""
    return json.dumps(_File.of(deployment).model_dump(), indent=2) + "\n"


def decode_deployment(text: str, subject: str) -> Deployment:
    """Read the file's text.

    Raises:
        SettingsError: It is not a deployment file, or names no sound addresses.
    """
    try:
        raw = _File.model_validate_json(text)
    except ValidationError as exc:
        first = exc.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"not a deployment file: {field or 'text'}: {first['msg']}", subject=subject, hint=_HINT
        ) from exc
    if sorted(raw.code_hashes) != sorted(CONTRACTS):
        raise SettingsError(
            "the code hashes are not those of the contracts",
            subject=subject,
            expected=", ".join(sorted(CONTRACTS)),
            actual=", ".join(sorted(raw.code_hashes)) or "none",
            hint=_HINT,
        )
    named, modules = raw.contracts, raw.modules
    return Deployment(
        chain_id=raw.chain_id,
        genesis_hash=_digest(raw.genesis_hash, subject),
        block=raw.block,
        site_registry=_address(named.site_registry, subject),
        data_access=_address(named.data_access, subject),
        runs=_address(named.runs, subject),
        credits=_address(named.credits, subject),
        disclosures=_address(named.disclosures, subject),
        masking=_address(named.masking, subject),
        modules=Modules(
            plain=_address(modules.plain, subject),
            batched=_address(modules.batched, subject),
            sampled=_address(modules.sampled, subject),
            masked=_address(modules.masked, subject),
        ),
        code_hashes=tuple(
            (name, _digest(code, subject)) for name, code in sorted(raw.code_hashes.items())
        ),
    )


def read_deployment(path: Path) -> Deployment:
    """Read a deployment file.

    Raises:
        SettingsError: There is none, or it is not sound.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(
            "the deployment file cannot be read", subject=str(path), actual=str(exc), hint=_HINT
        ) from exc
    return decode_deployment(text, str(path))


def write_deployment(path: Path, deployment: Deployment) -> None:
    """Write a deployment file, whole or not at all.

    Raises:
        SettingsError: It cannot be written.
    """
    write_whole(path, encode_deployment(deployment).encode(), mode=0o644)


def write_whole(path: Path, data: bytes, mode: int) -> None:
    """Put a file in place at once, so that no reader and no crash meets half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise SettingsError(
            "the file cannot be written", subject=str(path), actual=str(exc)
        ) from exc


def _digest(text: str, subject: str) -> Digest:
    try:
        return Digest(text)
    except Exception as exc:
        raise SettingsError(
            "not a hash of 64 hexadecimal digits", subject=subject, actual=text[:80], hint=_HINT
        ) from exc


def _address(text: str, subject: str) -> Address:
    if to_address(text) != text:
        raise SettingsError(
            "an address has a wrong check sum", subject=subject, actual=text, hint=_HINT
        )
    return Address(text)
