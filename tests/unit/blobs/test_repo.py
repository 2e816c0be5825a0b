from __future__ import annotations

import json
from pathlib import Path

import pytest

from fednet.blobs.embedded.repo import NO_LISTEN, configure


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Write what of a repository's configuration Kubo makes and ours builds on."""
    made: dict[str, dict[str, object]] = {
        "Identity": {"PeerID": "QmMadeByKubo", "PrivKey": ""},
        "Addresses": {},
    }
    made |= {"Swarm": {}, "Experimental": {"FilestoreEnabled": False}}
    (tmp_path / "config").write_text(json.dumps(made))
    return tmp_path


def peer_of(repo: Path, listen: str) -> str:
    configure(repo, listen)
    return str(json.loads((repo / "config").read_text())["Identity"]["PeerID"])


def test_site_that_only_dials_out_is_another_peer_at_each_start(repo: Path) -> None:
    assert len({peer_of(repo, NO_LISTEN) for _ in range(3)}) == 3


def test_site_that_is_dialled_stays_the_peer_that_others_know(repo: Path) -> None:
    first = peer_of(repo, "/ip4/127.0.0.1/tcp/0")
    assert first.startswith("12D3")
    assert peer_of(repo, "/ip4/127.0.0.1/tcp/0") == first


def test_repository_tells_nobody_what_it_holds(repo: Path) -> None:
    configure(repo, NO_LISTEN)
    config = json.loads((repo / "config").read_text())
    assert config["Experimental"]["StrategicProviding"] is True
    assert config["Reprovider"] == {"Interval": "0s"}
