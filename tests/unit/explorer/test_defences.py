from __future__ import annotations

import pytest

from fednet.explorer.defences import host_names, is_known_host


@pytest.mark.parametrize("header", ["127.0.0.1:8400", "localhost", "LOCALHOST:1", "[::1]:8400"])
def test_loopback_is_answered(header: str) -> None:
    assert is_known_host(header, host_names("127.0.0.1"))


@pytest.mark.parametrize(
    "header", ["evil.example", "127.0.0.1.evil.example:8400", "", "[::1", "10.0.0.7", "a@b:c"]
)
def test_other_names_are_not(header: str) -> None:
    assert not is_known_host(header, host_names("127.0.0.1"))


def test_every_address_is_answered_when_bound_to_all_but_no_domain() -> None:
    names = host_names("0.0.0.0")
    assert is_known_host("192.0.2.7:8400", names)
    assert not is_known_host("evil.example:8400", names)


def test_a_name_that_was_asked_for_is_answered() -> None:
    assert is_known_host("window.hospital.example:80", host_names("window.hospital.example"))
