"""A home directory's settings: one TOML file, environment overrides, strict.

``<home>/fednet.toml`` holds what a person decides; no secret stands in it.
``FEDNET_<SECTION>_<FIELD>`` overrides a field for one command. Paths are
relative to the home directory. Reads and writes this one file, nothing else.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from fednet.errors import SettingsError

FILE_NAME = "fednet.toml"
_PREFIX = "FEDNET_"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ChainSection(_Section):
    """Where the ledger is."""

    url: str = Field("http://127.0.0.1:8545", pattern=r"^(https?|wss?)://")
    """JSON-RPC address of the chain."""
    engine: Literal["", "ganache", "anvil"] = ""
    """Local chain that `fednet chain start` runs in this home; empty if there is none."""
    deployment: str = "deployment.json"
    """File that `fednet deploy` wrote."""


class AccountSection(_Section):
    """Who acts."""

    keystore: str = ""
    """Encrypted Web3 keystore; a name means keystores/NAME.json."""
    password_file: str = ""
    """File whose first line opens the keystore; asked for when empty."""
    light_kdf: bool = False
    """Whether new keystores open at once; only for passwords that a machine made at random."""


class StoreSection(_Section):
    """Where blobs are kept, and how peers reach each other."""

    rpc: str = Field("", pattern=r"^(https?://.*|/.*)?$")
    """RPC address of an external Kubo daemon; empty for the embedded store."""
    repo: str = "store"
    """Repository of the embedded store."""
    swarm_key: str = "swarm.key"
    """Key of the private swarm."""
    listen: str = Field("", pattern=r"^(/.*)?$")
    """Multiaddress to listen on, such as /ip4/0.0.0.0/tcp/4001; empty to dial out only."""
    announce: str = Field("", pattern=r"^(/.*)?$")
    """Multiaddress under which others dial this store, if it differs from `listen`."""
    peers: tuple[str, ...] = Field((), strict=False)
    """Multiaddresses of hubs to dial."""
    timeout_seconds: int = Field(60, ge=1, le=86_400)
    """How long to look for a blob before giving up."""


class DataSection(_Section):
    """The private data that this site trains on."""

    path: str = ""
    salt: str = "salt"
    """File with the secret salt of the registered data commitment."""
    dataset: int = Field(0, ge=0)
    """Number the ledger gave the registered dataset; 0 before it is."""


class TaskSection(_Section):
    """The learning task whose code this site has agreed to run."""

    source: str = ""
    """breast-cancer, digits, digits-conv, package.module:Class or path/to/file.py:Class."""
    without_walls: tuple[str, ...] = Field((), strict=False)
    """Essential sandbox walls that this site accepts to be missing."""


class SiteSection(_Section):
    """Which institution this home belongs to."""

    id: int = Field(0, ge=0)
    """Number the ledger gave the site; 0 before it applied."""
    name: str = Field("", max_length=64)


class AirlockSection(_Section):
    """The site's own bounds on what leaves it; where several speak, the strictest counts."""

    policy: str = ""
    """File with everything else that the site demands; empty if there is none."""

    minimum_examples: int = Field(1, ge=1)
    """Fewest examples behind an update that may leave."""
    maximum_norm: float = Field(0.0, ge=0, strict=False)
    """Largest norm of an update that may leave; 0 leaves it to the plan."""


class NodeSection(_Section):
    """How the node's loop behaves."""

    poll_seconds: float = Field(1.0, gt=0, le=3_600, strict=False)
    """Pause between two looks at the chain."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(_Section):
    """Everything a home directory says."""

    chain: ChainSection = ChainSection()
    account: AccountSection = AccountSection()
    store: StoreSection = StoreSection()
    data: DataSection = DataSection()
    task: TaskSection = TaskSection()
    site: SiteSection = SiteSection()
    airlock: AirlockSection = AirlockSection()
    node: NodeSection = NodeSection()


def load(home: Path, environment: Mapping[str, str]) -> Settings:
    """Read the home's settings, overridden by the environment.

    Raises:
        SettingsError: The file is unreadable or a key is wrong; names the key.
    """
    raw = read_raw(home)
    sources: dict[tuple[str, str], str] = {}
    for section, field, variable, value in _overrides(environment):
        part = raw.setdefault(section, {})
        if isinstance(part, dict):
            part[field] = value
            sources[section, field] = variable
    try:
        return Settings.model_validate(raw)
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        where = sources.get((str(first["loc"][0]), str(first["loc"][-1])), str(home / FILE_NAME))
        raise SettingsError(
            f"{key}: {first['msg']}",
            subject=where,
            actual=repr(first.get("input"))[:80],
            hint=f"correct {key} in {where}" if where.endswith(".toml") else f"correct {where}",
        ) from exc


def read_raw(home: Path) -> dict[str, Any]:
    """Read the file as it stands; empty if there is none.

    Raises:
        SettingsError: It cannot be read, or is not TOML.
    """
    path = home / FILE_NAME
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(
            "cannot read the settings",
            subject=str(path),
            actual=exc,
            hint="mend the file, or name another home: --home DIRECTORY or FEDNET_HOME",
        ) from exc
    except tomllib.TOMLDecodeError as exc:
        raise SettingsError(
            f"not TOML: {exc}", subject=str(path), hint="correct the line, or remove the file"
        ) from exc


def update(home: Path, values: Mapping[str, Mapping[str, object]]) -> None:
    """Set fields in the file, leaving the others as they are; comments are lost.

    Raises:
        SettingsError: The file cannot be written, or would not be valid.
    """
    raw = read_raw(home)
    for section, fields in values.items():
        raw.setdefault(section, {}).update(fields)
    path = home / FILE_NAME
    try:
        Settings.model_validate(raw)
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{key}: {first['msg']}", subject=str(path), actual=repr(first.get("input"))[:80]
        ) from exc
    write_durably(path, tomli_w.dumps(raw).encode("utf-8"), private=False)


def write_durably(path: Path, data: bytes, *, private: bool) -> None:
    """Write a file that is either whole or not there; private ones for the owner only.

    Raises:
        SettingsError: The disk does not take it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        make_private(path.parent)
        mode = 0o600 if private else 0o644
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as exc:
        with suppress(OSError):
            temporary.unlink()
        raise SettingsError(
            "cannot write",
            subject=str(path),
            actual=exc.strerror,
            hint="free space on the disk, or see who may write to the folder",
        ) from exc


def make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing, for the owner only.

    Raises:
        OSError: The disk does not take it.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def _overrides(environment: Mapping[str, str]) -> list[tuple[str, str, str, object]]:
    """List (section, field, variable, value) for each variable that names a section."""
    found = []
    for variable, text in sorted(environment.items()):
        section, _, field = variable.removeprefix(_PREFIX).lower().partition("_")
        known = Settings.model_fields.get(section)
        if not variable.startswith(_PREFIX) or known is None:
            continue
        kind = known.annotation
        fields = kind.model_fields if isinstance(kind, type) and issubclass(kind, _Section) else {}
        if field not in fields:
            raise SettingsError(
                "no such setting",
                subject=variable,
                expected=", ".join(f"{_PREFIX}{section}_{name}".upper() for name in fields),
            )
        found.append((section, field, variable, _read_text(fields[field].annotation, text)))
    return found


def _read_text(annotation: Any, text: str) -> object:  # noqa: ANN401 - pydantic's own type
    """Read an environment variable as the field's type; leave what does not fit to the model."""
    if annotation == tuple[str, ...]:
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        value: object = TypeAdapter(annotation).validate_strings(text)
    except ValidationError:
        return text
    return value
