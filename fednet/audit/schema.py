"""The form of ``fednet audit --json``, from which docs/audit.schema.json is generated.

A reader may rely on every field that stands here. A field is added with a new
number in ``format`` and never changes its meaning.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fednet.audit.findings import Severity
from fednet.audit.report import REPORT_FORMAT, RoundVerdict, SiteVerdict

ALL_FORMAT = "fednet-audits/1"
_HEX64 = r"^[0-9a-f]{64}$"
_SEVERITIES = "|".join(Severity)
_ROUND_VERDICTS = "|".join(RoundVerdict)
_SITE_VERDICTS = "|".join(SiteVerdict)


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CheckForm(_Form):
    """One question that was asked."""

    number: int
    title: str


class FindingForm(_Form):
    """One thing that is not as it should be."""

    severity: str = Field(pattern=f"^({_SEVERITIES})$")
    code: str = Field(pattern=r"^[a-z]+(-[a-z]+)*$")
    check: int = Field(ge=1)
    subject: str
    message: str
    round: int | None
    accused: int | None = Field(description="Site whose own act convicts it; null if none.")
    duty: str = Field(description="Whose duty it is; not an accusation.")
    expected: str
    actual: str
    evidence: str = Field(description="What somebody signed, as it was signed; often empty.")


class SiteRoundForm(_Form):
    """What became of one submission."""

    site: int
    weight: int
    verdict: str = Field(pattern="^(included|invalid|unavailable|)$")
    reason: str
    earned: int
    staleness: int = Field(description="Rounds by which an included update was late.")


class RoundForm(_Form):
    """The verdict on one round."""

    round: int
    verdict: str = Field(pattern=f"^({_ROUND_VERDICTS})$")
    attempt: int
    record: str | None = Field(pattern=_HEX64)
    state: str | None = Field(pattern=_HEX64)
    attestations: int
    sites: list[SiteRoundForm]
    outcome: dict[str, str | int | list[int]]


class SiteForm(_Form):
    """What is said of a site over the whole run."""

    site: int
    verdict: str = Field(pattern=f"^({_SITE_VERDICTS})$")


class AnchorForm(_Form):
    """A checkpoint that holds."""

    site: int
    account: str
    block: int
    time: int


class RecalledForm(_Form):
    """A round that an earlier audit of the same machine verified."""

    round: int
    time: int
    block: int


class ProofForm(_Form):
    """How far events and storage are proven by the headers of blocks."""

    proven: bool
    reason: str
    first_block: int
    last_block: int
    receipts: int
    stored: list[str]


class ReportForm(_Form):
    """The report on one run."""

    format: Literal["fednet-audit/3"]
    run: int
    chain_id: int
    contract: str
    block: int
    block_hash: str = Field(pattern=_HEX64)
    anchored: bool
    anchors: list[AnchorForm]
    recalled: list[RecalledForm]
    proof: ProofForm
    phase: str
    plan: str = Field(pattern=_HEX64)
    verified: bool
    accused: list[int]
    sites: list[SiteForm]
    checks: list[CheckForm]
    rounds: list[RoundForm]
    findings: list[FindingForm]


class FailureForm(_Form):
    """A run that could not be looked at."""

    run: int
    error: str
    message: str


class AllForm(_Form):
    """The reports on every run, of ``--all``."""

    format: Literal["fednet-audits/1"]
    verified: bool
    reports: list[ReportForm]
    failures: list[FailureForm]


def schema_text() -> str:
    """Return the JSON schema of both forms, as docs/audit.schema.json holds it."""
    whole = AllForm.model_json_schema()
    forms = whole.pop("$defs")
    forms["AllForm"] = whole
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"fednet audit --json ({REPORT_FORMAT}, {ALL_FORMAT})",
        "anyOf": [{"$ref": "#/$defs/ReportForm"}, {"$ref": "#/$defs/AllForm"}],
        "$defs": dict(sorted(forms.items())),
    }
    return json.dumps(document, indent=2) + "\n"
