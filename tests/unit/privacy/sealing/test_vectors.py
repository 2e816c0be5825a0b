"""The bytes of the page: pinned, and read by a second implementation made from the page alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from fednet.domain.identity import Address, RoundNumber, RunId, SiteId
from fednet.domain.update import Place
from fednet.privacy.sealing import BlobPlace, ContentKey, Recipients, seal, unseal

VECTOR = json.loads((Path(__file__).parents[3] / "vectors" / "sealed.json").read_text("utf-8"))
KEY = ContentKey(bytes.fromhex(VECTOR["content_key"]))
NAMED = VECTOR["place"]
PLACE = BlobPlace(
    Place(
        NAMED["chain_id"],
        Address(NAMED["contract"]),
        RunId(NAMED["run"]),
        RoundNumber(NAMED["round"]),
        NAMED["attempt"],
    ),
    SiteId(NAMED["site"]),
    NAMED["kind"],
)
MEMBERS = Recipients.of(
    {SiteId(each["site"]): bytes.fromhex(each["public_key"]) for each in VECTOR["members"]}
)
LONG = bytes(n * n % 251 for n in range(150_000))


def test_short_content_seals_to_the_known_bytes(tmp_path: Path) -> None:
    source, target = tmp_path / "clear", tmp_path / "sealed"
    source.write_bytes(bytes.fromhex(VECTOR["short"]["content"]))
    seal(source, target, KEY, PLACE, MEMBERS)
    assert target.read_bytes().hex() == VECTOR["short"]["sealed"]


def test_long_content_seals_to_the_known_bytes(tmp_path: Path) -> None:
    assert hashlib.sha256(LONG).hexdigest() == VECTOR["long"]["content_sha256"]
    source, target = tmp_path / "clear", tmp_path / "sealed"
    source.write_bytes(LONG)
    written = seal(source, target, KEY, PLACE, MEMBERS)
    assert written.commitment.hex() == VECTOR["long"]["sealed_sha256"]
    assert written.size_bytes == VECTOR["long"]["sealed_size_bytes"]


def test_keys_combine_to_the_known_key() -> None:
    parts = [ContentKey(bytes([number]) * 32) for number in range(3)]
    assert ContentKey.combine(parts, PLACE).secret.hex() == VECTOR["combined_key"]


def text(*parts: Any) -> bytes:
    names = ("chain_id", "contract", "run", "round", "attempt", "site", "kind")
    whole = ["fednet-sealed/1", parts[0], *(NAMED[name] for name in names), *parts[1:]]
    return json.dumps(whole, separators=(",", ":")).encode()


def read_by_the_page(data: bytes, position: int) -> tuple[bytes, bytes]:
    """Open a sealed blob with another library's HPKE and its HKDF; return key and content."""
    members = VECTOR["members"]
    named = json.dumps([[m["site"], m["public_key"]] for m in members], separators=(",", ":"))
    digest = hashlib.sha256(named.encode()).hexdigest()
    private = X25519PrivateKey.from_private_bytes(bytes.fromhex(members[position]["private_key"]))
    wrap = data[32 + 48 * position : 80 + 48 * position]
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    key = suite.decrypt(data[:32] + wrap, private, text("wrap", digest))

    salt = data[32 + 48 * len(members) :][:32]
    body = data[64 + 48 * len(members) :]
    stream = HKDFExpand(SHA256(), 32, text("stream", salt.hex())).derive(key)
    pieces = []
    for number, at in enumerate(range(0, len(body), 65_552)):
        nonce = number.to_bytes(11, "big") + bytes([at + 65_552 >= len(body)])
        pieces.append(ChaCha20Poly1305(stream).decrypt(nonce, body[at : at + 65_552], None))
    content = b"".join(pieces)

    mac = HMAC(HKDFExpand(SHA256(), 32, text("salt")).derive(key), SHA256())
    mac.update(hashlib.sha256(content).digest())
    assert mac.finalize() == salt
    return key, content


@pytest.mark.parametrize("position", [0, 1, 2])
def test_page_is_enough_to_read_the_known_bytes(position: int) -> None:
    read = read_by_the_page(bytes.fromhex(VECTOR["short"]["sealed"]), position)
    assert read == (KEY.secret, bytes.fromhex(VECTOR["short"]["content"]))


def test_page_is_enough_to_read_many_chunks(tmp_path: Path) -> None:
    source, target = tmp_path / "clear", tmp_path / "sealed"
    source.write_bytes(LONG)
    seal(source, target, KEY, PLACE, MEMBERS)
    assert read_by_the_page(target.read_bytes(), 1) == (KEY.secret, LONG)


def test_page_is_enough_to_combine_keys() -> None:
    joined = b"".join(bytes([number]) * 32 for number in range(3))
    key = HKDF(SHA256(), 32, None, text("combined")).derive(joined)
    assert key.hex() == VECTOR["combined_key"]


def test_known_bytes_open(tmp_path: Path) -> None:
    source, target = tmp_path / "sealed", tmp_path / "opened"
    source.write_bytes(bytes.fromhex(VECTOR["short"]["sealed"]))
    unseal(source, target, KEY, PLACE, MEMBERS)
    assert target.read_bytes().hex() == VECTOR["short"]["content"]
