"""Collect what must stay secret of people who use fednet, and where each secret belongs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from fednet.cli.app import App
from fednet.domain.identity import RunId, SiteId
from fednet.errors import FednetError
from fednet.ledger.deployment import read_deployment
from fednet.ledger.keystore import unlock
from fednet.node.journal import Journal
from fednet.privacy.sealing import EncryptionKeys
from tests.e2e.cli_world import Person
from tests.secrecy import Leak, Secret, leaks, on_chain, rows_of, secret_in_file

_ROWS = 8


def secrets_of(home: Path) -> Iterator[Secret]:
    """List a home's keys, passwords, seeds and salts."""
    password = home / "password"
    word = password.read_text().strip()
    yield secret_in_file(f"{home.name}: password", password)
    for path in sorted((home / "keystores").glob("*.json")):
        try:
            account = unlock(path, word)
        except FednetError:  # that of the encryption key, which is asked below
            continue
        yield Secret(f"{home.name}: key of {path.stem}", bytes(account.key))
    salt = home / "salt"
    if salt.exists():
        yield secret_in_file(f"{home.name}: salt of the data", salt, salt.read_bytes())
        keys = EncryptionKeys(home / "keystores", word.encode())
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
        word_of_store = json.loads(endpoint.read_bytes())["password"].encode()
        yield secret_in_file(f"{home.name}: password of the store", endpoint, word_of_store)
    for code in home.glob("*code"):
        yield secret_in_file(f"{home.name}: code of {code.stem}", code)


def roots_of(home: Path, run: RunId) -> Iterator[Secret]:
    """List what a site's masks in a run grew from; its node has ended."""
    deployment = read_deployment(home / "deployment.json")
    journal = Journal(home / "journal", deployment, SiteId(App(home).settings().site.id))
    with closing(journal):
        for key, root in journal.notes(run).roots.items():
            name = f"{home.name}: root of the masks of round {key.round}"
            yield Secret(name, root, frozenset([journal.path]))


def search(
    people: Sequence[Person], data: Sequence[Path], said: dict[str, bytes], chain_url: str
) -> list[Leak]:
    """Look for every secret and for rows of the data, in all that is said and kept."""
    words = {**said, "chain": on_chain(chain_url)}
    for person in people:
        words[f"{person.home.name}: commands and answers"] = "\n".join(person.said).encode()
    return search_homes([person.home for person in people], data, words)


def search_homes(
    homes: Sequence[Path],
    data: Sequence[Path],
    words: dict[str, bytes],
    more: Sequence[Secret] = (),
) -> list[Leak]:
    """Look for the secrets of homes, for more, and for rows of the data, there and in words."""
    secrets = [*(each for home in homes for each in secrets_of(home)), *more]
    kinds = {name.split(": ")[-1].split(" of ")[0] for name in (each.name for each in secrets)}
    assert {"password", "key", "salt", "encryption key", "code"} <= kinds
    secrets = merged(secrets)
    secrets += [row for path in data for row in rows_of(path.stem, path, _ROWS)]
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
