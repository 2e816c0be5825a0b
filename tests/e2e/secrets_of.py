"""Collect what must stay secret of people who use fednet, and where each secret belongs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from fednet.errors import FednetError
from fednet.ledger.keystore import unlock
from fednet.privacy.sealing import EncryptionKeys
from tests.e2e.cli_world import PASSWORD, Person
from tests.secrecy import Leak, Secret, leaks, on_chain, rows_of, secret_in_file

_ROWS = 8


def secrets_of(person: Person) -> Iterator[Secret]:
    """List a person's keys, passwords, seeds and salts."""
    home = person.home
    password = home / "password"
    yield secret_in_file(f"{home.name}: password", password)
    for path in sorted((home / "keystores").glob("*.json")):
        try:
            account = unlock(path, PASSWORD)
        except FednetError:  # that of the encryption key, which is asked below
            continue
        yield Secret(f"{home.name}: key of {path.stem}", bytes(account.key))
    site = home / "salt"
    if site.exists():
        yield secret_in_file(f"{home.name}: salt of the data", site, site.read_bytes())
        keys = EncryptionKeys(home / "keystores", PASSWORD.encode())
        private = keys.holding(keys.public_key()).private_bytes_raw()
        yield Secret(f"{home.name}: encryption key", private)
    swarm = home / "swarm.key"
    if swarm.exists():
        key = bytes.fromhex(swarm.read_text().split("\n")[2])
        yield secret_in_file(
            f"{home.name}: key of the swarm", swarm, key, *home.glob("*/swarm.key")
        )
    endpoint = home / "store" / "endpoint.json"
    if endpoint.exists():
        word = json.loads(endpoint.read_bytes())["password"].encode()
        yield secret_in_file(f"{home.name}: password of the store", endpoint, word)
    for code in home.glob("*.code"):
        yield secret_in_file(f"{home.name}: code of {code.stem}", code)


def search(
    people: Sequence[Person], data: Sequence[Path], said: dict[str, bytes], chain_url: str
) -> list[Leak]:
    """Look for every secret and for rows of the data, in all that is said and kept."""
    secrets = [each for person in people for each in secrets_of(person)]
    kinds = {name.split(": ")[-1].split(" of ")[0] for name in (each.name for each in secrets)}
    assert {"password", "key", "salt", "encryption key", "code"} <= kinds
    secrets = merged(secrets)
    secrets += [row for path in data for row in rows_of(path.stem, path, _ROWS)]
    words = {**said, "chain": on_chain(chain_url)}
    for person in people:
        words[f"{person.home.name}: commands and answers"] = "\n".join(person.said).encode()
    homes = [person.home for person in people]
    found = leaks(secrets, words, homes)
    _require_control(secrets, words, homes)
    return found


def merged(secrets: Sequence[Secret]) -> list[Secret]:
    """Name what several hold only once, allowed wherever one of them keeps it."""
    found: dict[bytes, Secret] = {}
    for each in secrets:
        known = found.get(each.value)
        homes = each.homes | (known.homes if known else frozenset())
        name = f"{known.name}; {each.name}" if known else each.name
        found[each.value] = Secret(name, each.value, homes)
    return list(found.values())


def _require_control(
    secrets: Sequence[Secret], words: dict[str, bytes], homes: Sequence[Path]
) -> None:
    """Plant each secret in a log, and in all that was said, and require that all are found."""
    planted = homes[-1] / "log" / "planted.log"
    planted.parent.mkdir(exist_ok=True)
    planted.write_bytes(b"\n".join(each.forms()[at % 3] for at, each in enumerate(secrets)))
    try:
        found = {each.secret for each in leaks(secrets, {}, [planted.parent])}
    finally:
        planted.unlink()
    everything = {each.name for each in secrets}
    assert found == everything
    for place, said in words.items():
        hidden = b" ".join(each.forms()[at % 3] for at, each in enumerate(secrets))
        heard = {place: said[: len(said) // 2] + hidden + said[len(said) // 2 :]}
        assert {each.secret for each in leaks(secrets, heard, [])} == everything
