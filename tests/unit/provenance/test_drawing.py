"""The drawn lineage: well-formed, complete, harmless, of sensible size."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from benchmarks._records import digest
from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.provenance import Lineage, LineageStep, LineageUpdate, draw

SVG = "{http://www.w3.org/2000/svg}"


def commitment(*parts: object) -> Commitment:
    return Commitment(digest(*parts))


def lineage_of(rounds: int, sites: int, name: str = "Hospital") -> Lineage:
    steps = []
    for number in range(rounds, 0, -1):
        updates = tuple(
            LineageUpdate(
                SiteId(site), 100, commitment("update", number, site), Locator(bytes(32)),
                "invalid" if site == 2 else "included", GrantId(site), DatasetId(site),
            )
            for site in range(1, sites + 1)
        )  # fmt: skip
        steps.append(
            LineageStep(
                RoundNumber(number), 1, 1, True, commitment("state", number),
                commitment("state", number - 1), commitment("record", number), Locator(bytes(32)),
                SiteId(1), updates, number, number, digest("transaction", number),
            )
        )  # fmt: skip
    return Lineage(
        commitment("state", rounds), RunId(1), Address("0x" + "1" * 40), commitment("plan"),
        Locator(bytes(32)), commitment("state", 0), Locator(bytes(32)), tuple(steps),
        {SiteId(site): f"{name} {site}" for site in range(1, sites + 1)},
    )  # fmt: skip


@pytest.mark.parametrize(("rounds", "sites"), [(0, 0), (1, 1), (3, 12), (100, 100)])
def test_drawing_is_complete(rounds: int, sites: int) -> None:
    drawn = draw(lineage_of(rounds, sites))
    assert drawn == draw(lineage_of(rounds, sites))
    root = ET.fromstring(drawn)
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert len(root.findall(f".//{SVG}rect[@class='model']")) == rounds + 1
    assert len(root.findall(f"{SVG}g")) == rounds
    boxes = root.findall(f".//{SVG}rect")
    height, width = int(root.attrib["height"]), int(root.attrib["width"])
    for box in boxes:
        assert int(box.get("x", 0)) + int(box.attrib["width"]) <= width
        assert int(box.get("y", 0)) + int(box.attrib["height"]) <= height
    labels = {each.text for each in root.iter(f"{SVG}text")}
    assert "Initial model" in labels
    if sites > 12:
        assert {"99 included", "1 invalid"} <= labels
        assert len(boxes) == 1 + rounds * 3 + 1
    if rounds == 3:
        assert any("invalid" in str(label) for label in labels)


def test_hostile_names_stay_text() -> None:
    hostile = "</text><script>alert(1)</script>\u202e\x00\x1b&\"'"
    drawn = draw(lineage_of(1, 3, hostile + "x" * 1_000_000))
    root = ET.fromstring(drawn)
    assert not root.findall(f".//{SVG}script")
    assert "\u202e" not in drawn
    assert "\x00" not in drawn
    assert len(drawn) < 20_000


def test_links_are_asked_for_and_escaped() -> None:
    asked = []

    def link(kind: str, name: str) -> str | None:
        asked.append(kind)
        return f'/{kind}/{name}?"<' if kind != "update" else None

    root = ET.fromstring(draw(lineage_of(1, 2), link))
    links = [each.attrib["href"] for each in root.iter(f"{SVG}a")]
    assert sorted(set(asked)) == ["model", "state", "update"]
    assert len(links) == 2
    assert all(each.endswith('?"<') for each in links)
    assert not ET.fromstring(draw(lineage_of(1, 2))).findall(f".//{SVG}a")
