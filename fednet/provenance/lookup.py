"""Tell what a text names: a digest or its first digits, a CID, an address, "run 3", a name."""

# ruff: noqa: S608 - statements are put together of constants of ours alone

from __future__ import annotations

import base64
import binascii
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

from fednet.domain.identity import DatasetId, GrantId, RoundNumber, RunId, SiteId
from fednet.provenance.recording import KIND_NAMES
from fednet.provenance.rows import Match
from fednet.provenance.schema import INDEX_BITS

MAX_TEXT = 200
MAX_MATCHES = 50
_LEAST_DIGITS = 6
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_MULTIHASH = b"\x12\x20"
_CIDV1_HEADS = (b"\x01\x70\x12\x20", b"\x01\x55\x12\x20")
_NAMED = re.compile(r"(run|site|dataset|grant|block|round)\s*#?\s*(\d{1,18})", re.IGNORECASE)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_HEX = re.compile(rf"(?:0x)?([0-9a-fA-F]{{{_LEAST_DIGITS},64}})")

_COLUMNS = (
    ("update", "updates", "commitment", "run, round, attempt, site"),
    ("locator of an update", "updates", "locator", "run, round, attempt, site"),
    ("state", "proposals", "state", "run, round, attempt, site"),
    ("round record", "proposals", "record", "run, round, attempt, site"),
    ("locator of a round record", "proposals", "record_locator", "run, round, attempt, site"),
    ("credits root", "proposals", "credits_root", "run, round, attempt, site"),
    ("plan", "runs", "plan", "run"),
    ("locator of a plan", "runs", "plan_locator", "run"),
    ("initial model", "runs", "initial_model", "run"),
    ("locator of an initial model", "runs", "initial_model_locator", "run"),
    ("witness or expected record", "votes", "value", "run, round, attempt, site"),
    ("description of a dataset", "datasets", "description", "dataset, site"),
    ("data of a dataset", "datasets", "data", "dataset, site"),
    ("purpose of a request", "requests", "purpose", "grant_id, dataset"),
    ("locator of a purpose", "requests", "purpose_locator", "grant_id, dataset"),
    ("terms of a grant", "decisions", "terms", "grant_id, dataset"),
    ("locator of terms", "decisions", "terms_locator", "grant_id, dataset"),
    ("metadata of a site", "applications", "metadata", "site"),
    ("encryption key of a site", "site_keys", "encryption_key", "site"),
    ("announced blob", "locators", "commitment", "site"),
    ("announced locator", "locators", "locator", "site"),
    ("request for release", "release_requests", "request", "run, round, attempt, site, dataset"),
    ("reason of a decision", "release_decisions", "reason", "run, round, attempt, site, dataset"),
    ("grounds of a ceiling", "ceilings", "grounds", "dataset, site"),
    ("key of a reader", "readers", "encryption_key", "reader, run"),
    ("letter to a reader", "readers", "letter", "reader, run"),
    ("locator of a letter", "readers", "letter_locator", "reader, run"),
    ("list of erased blobs", "erasures", "erased", "run, site, dataset"),
    ("grounds of an erasure", "erasures", "grounds", "run, site, dataset"),
    ("key for masks", "mask_keys", "mask_key", "run, round, attempt, site"),
    ("key for shares", "mask_keys", "channel_key", "run, round, attempt, site"),
    ("shares of a site's masks", "mask_shares", "commitment", "run, round, attempt, site"),
    ("locator of shares", "mask_shares", "locator", "run, round, attempt, site"),
)
_THINGS = {
    "run": ("runs", "run", "run"),
    "site": ("applications", "site", "site"),
    "dataset": ("datasets", "dataset", "dataset, site"),
    "grant": ("requests", "grant_id", "grant_id, dataset"),
}
_WORDS = {"grant_id": "grant"}


def matches_of(db: sqlite3.Connection, text: str) -> list[Match]:
    """List what a text names, the exact kinds first; empty if nothing is known of it.

    Args:
        db: The index.
        text: Of any length and content; what is too long names nothing.
    """
    wanted = text.strip()
    if not wanted or len(wanted) > MAX_TEXT or "\0" in wanted:
        return []
    found: list[Match] = []
    for match in _all(db, wanted):
        if match not in found:
            found.append(match)
        if len(found) == MAX_MATCHES:
            break
    return found


def _all(db: sqlite3.Connection, wanted: str) -> Iterator[Match]:
    if _ADDRESS.fullmatch(wanted):
        yield from _by_address(db, wanted)
        return
    if named := _NAMED.findall(wanted):
        yield from _by_number(db, {word.lower(): int(number) for word, number in named})
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= 18:
        number = int(wanted)
        yield from _by_number(db, {"block": number})
        for word in _THINGS:
            yield from _by_number(db, {word: number})
    if digits := _HEX.fullmatch(wanted):
        first = digits[1].lower()
        yield from _by_digest(db, *(bytes.fromhex(first.ljust(64, end)) for end in "0f"))
    elif digest := _digest_of_cid(wanted):
        yield from _by_digest(db, digest, digest)
    yield from _by_name(db, wanted)


def _by_digest(db: sqlite3.Connection, low: bytes, high: bytes) -> Iterator[Match]:
    # An equality is asked as such: only then can every partial index serve.
    exact = low == high
    for kind, table, column, about in _COLUMNS:
        condition = f"{column} = ?" if exact else f"{column} BETWEEN ? AND ?"
        query = f"SELECT at, {column}, {about} FROM {table} WHERE {condition} ORDER BY at LIMIT ?"
        values = (low, MAX_MATCHES) if exact else (low, high, MAX_MATCHES)
        for at, digest, *rest in db.execute(query, values):
            yield _match(kind, digest.hex(), about, rest, at >> INDEX_BITS)
    transactions = "SELECT tx, MIN(at), COUNT(*) FROM events WHERE tx BETWEEN ? AND ? " \
                   "GROUP BY tx LIMIT ?"  # fmt: skip
    for digest, at, count in db.execute(transactions, (low, high, MAX_MATCHES)):
        kinds = [KIND_NAMES[kind] for (kind,) in db.execute(
            "SELECT kind FROM events WHERE tx = ? ORDER BY at LIMIT 5", (digest,))]  # fmt: skip
        told = ", ".join(kinds) + (" ..." if count > len(kinds) else "")
        block = at >> INDEX_BITS
        yield Match("transaction", digest.hex(), f"block {block}: {told}", block=block)
    blocks = "SELECT number, hash FROM blocks WHERE hash BETWEEN ? AND ? LIMIT ?"
    for number, digest in db.execute(blocks, (low, high, MAX_MATCHES)):
        yield Match("block", digest.hex(), f"block {number}", block=number)


def _by_address(db: sqlite3.Connection, address: str) -> Iterator[Match]:
    accounts = "SELECT at, account, site FROM accounts WHERE account = ? COLLATE NOCASE ORDER BY at"
    for at, account, site in db.execute(accounts, (address,)):
        yield _match("account of a site's node", account, "site", [site], at >> INDEX_BITS)
    roles = """SELECT at, account, site FROM account_roles WHERE account = ? COLLATE NOCASE
        ORDER BY at DESC LIMIT 1"""
    for at, account, site in db.execute(roles, (address,)):
        yield _match("account with roles", account, "site", [site], at >> INDEX_BITS)
    for at, module in db.execute(
        "SELECT MIN(at), module FROM modules WHERE module = ? COLLATE NOCASE GROUP BY module",
        (address,),
    ):
        yield Match("rounds module", module, f"since block {at >> INDEX_BITS}")
    acts = """SELECT kind, account, COUNT(*), MAX(at) FROM events
        WHERE account = ? COLLATE NOCASE AND account IS NOT NULL GROUP BY kind"""
    for kind, account, count, at in db.execute(acts, (address,)):
        yield Match(
            "account", account, f"{KIND_NAMES[kind]}, {count} times", block=at >> INDEX_BITS
        )


def _by_number(db: sqlite3.Connection, named: dict[str, int]) -> Iterator[Match]:
    if "run" in named and "round" in named:
        held = (named["run"], named["round"])
        query = "SELECT MIN(at) FROM attempts WHERE run = ? AND round = ?"
        at = db.execute(query, held).fetchone()[0]
        if at is not None:
            run, number = RunId(held[0]), RoundNumber(held[1])
            text = f"run {run}, round {number}"
            yield Match("round", text, text, run=run, round=number, block=at >> INDEX_BITS)
        return
    for word, (table, column, about) in _THINGS.items():
        if word in named:
            query = f"SELECT at, {about} FROM {table} WHERE {column} = ? LIMIT 1"
            for at, *rest in db.execute(query, (named[word],)):
                yield _match(word, f"{word} {named[word]}", about, rest, at >> INDEX_BITS)
    if "block" in named:
        for (digest,) in db.execute("SELECT hash FROM blocks WHERE number = ?", (named["block"],)):
            number_text = f"block {named['block']}"
            yield Match("block", number_text, f"hash {digest.hex()}", block=named["block"])


def _by_name(db: sqlite3.Connection, text: str) -> Iterator[Match]:
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    query = r"""SELECT at, name, site FROM applications WHERE name LIKE ? ESCAPE '\'
        ORDER BY site LIMIT ?"""
    for at, name, site in db.execute(query, (f"%{escaped}%", MAX_MATCHES)):
        yield _match("site", name, "site", [site], at >> INDEX_BITS)


def _match(kind: str, subject: str, about: str, values: list[Any], block: int) -> Match:
    named = dict(zip(about.split(", "), values, strict=True))
    where = ", ".join(f"{_WORDS.get(name, name)} {value}" for name, value in named.items())
    return Match(
        kind, subject, f"{where}, block {block}",
        run=RunId(named["run"]) if "run" in named else None,
        round=RoundNumber(named["round"]) if "round" in named else None,
        site=SiteId(named["site"]) if "site" in named else None,
        dataset=DatasetId(named["dataset"]) if "dataset" in named else None,
        grant=GrantId(named["grant_id"]) if "grant_id" in named else None,
        block=block,
    )  # fmt: skip


def _digest_of_cid(text: str) -> bytes | None:
    """Read the SHA-256 in a CID of version 0, or of version 1 in base 32."""
    if len(text) == 46 and text.startswith("Qm") and set(text) <= set(_BASE58):
        number = 0
        for letter in text:
            number = number * 58 + _BASE58.index(letter)
        raw = number.to_bytes(35, "big")[1:]
        return raw[2:] if raw.startswith(_MULTIHASH) else None
    if len(text) == 59 and text.startswith("b"):
        try:
            raw = base64.b32decode(text[1:].upper() + "======")
        except (binascii.Error, ValueError):
            return None
        return raw[4:] if raw.startswith(_CIDV1_HEADS) and len(raw) == 36 else None
    return None
