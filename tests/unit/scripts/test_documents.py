"""Generated blocks, limits, and the README's size."""

from __future__ import annotations

from pathlib import Path

from scripts import generate_docs
from scripts.maintenance import limits

ROOT = Path(__file__).resolve().parents[3]


def test_fill_replaces_known_blocks_and_leaves_the_rest() -> None:
    block = "<!-- generated: {} -->\n{}\n<!-- end -->\n"
    text = "a\n" + block.format("x", "old") + "b\n" + block.format("y", "kept")
    filled = generate_docs.fill(text, {"x": lambda: "new"})
    assert filled == text.replace("old", "new")
    assert generate_docs.fill(filled, {"x": lambda: "new"}) == filled


def test_every_audit_check_stands_in_the_protocol() -> None:
    assert generate_docs.audit_checks() in (ROOT / "docs" / "protocol.md").read_text("utf-8")


def test_readme_is_short_and_shows_a_session() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) < 150
    assert "$ scripts/demo" in lines


def test_root_names_counts_what_a_module_binds_in_public() -> None:
    source = "from a import b as c\nimport d\n_e = 1\nF = 2\ndef g(): ...\nclass H: ...\n"
    assert limits.root_names(source) == {"c", "d", "F", "g", "H"}


def test_links_between_documents_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in limits.links_of(path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name} -> {target}"
