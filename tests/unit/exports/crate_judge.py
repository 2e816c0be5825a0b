"""The RO-Crate validator, asked without a network.

It wants RO-Crate's JSON-LD context, which stands on the web. Its HTTP cache is
filled with the context's entries for the terms we write, so that a term outside
of them is found too: none of them may be missing.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from datetime import UTC, datetime
from pathlib import Path

from requests_cache import CachedRequest, CachedResponse, CachedSession
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
_SCHEMA_TERMS = (
    "CreativeWork Dataset SoftwareSourceCode SoftwareApplication ComputerLanguage HowTo HowToStep"
    " Organization CreateAction ControlAction OrganizeAction about name description identifier"
    " datePublished license mainEntity hasPart mentions encodingFormat contentSize version"
    " softwareVersion programmingLanguage step position workExample exampleOfWork additionalType"
    " instrument agent object result startTime endTime author subjectOf"
)
_OTHERS = {
    "File": "http://schema.org/MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}


def issues(crate: Path, profile: str, cache: Path) -> list[str]:
    """List what a profile requires and a crate lacks."""
    settings = ValidationSettings(
        rocrate_uri=crate.name,
        profile_identifier=profile,
        requirement_severity=Severity.REQUIRED,
        offline=True,
        cache_path=cache,
    )
    _fill(HttpRequester().session)
    # The validator takes a path with a space in it for a broken address.
    with warnings.catch_warnings(), contextlib.chdir(crate.parent):
        # The validator's libraries use one another's deprecated names.
        warnings.simplefilter("ignore")
        result = services.validate(settings)
    found = [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]
    assert result.passed() == (not found)
    return found


def _fill(session: CachedSession) -> None:
    terms = {term: f"http://schema.org/{term}" for term in _SCHEMA_TERMS.split()} | _OTHERS
    accept = {"Accept": "application/ld+json, application/json"}
    request = CachedRequest(method="GET", url=CONTEXT, headers=accept)
    response = CachedResponse(
        content=json.dumps({"@context": terms}).encode(),
        created_at=datetime.now(UTC),
        headers={"Content-Type": "application/ld+json"},
        request=request,
        status_code=200,
        url=CONTEXT,
    )
    session.cache.save_response(response, session.cache.create_key(request))
