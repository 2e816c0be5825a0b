from __future__ import annotations

import pytest

from fednet.airlock import Check, Passage, Verdict
from fednet.domain import canonical
from fednet.errors import AirlockRefusedError, MalformedBlobError

NORM = Check("norm", Verdict.PASSED, "norm of the update", "at most 5", "3.25", 3.25, 5.0)
LIKENESS = Check("likeness", Verdict.REFUSED, "a copy", "0.9", "1", 1.0, 0.9, "train on more")


def test_a_check_comes_back_as_it_was_written() -> None:
    for check in (NORM, LIKENESS, Check("form", Verdict.UNMEASURED, "cannot say")):
        raw = canonical.decode(canonical.encode(check.to_plain()), "report")
        assert Check.from_plain(raw, "report") == check


@pytest.mark.parametrize(
    "change",
    [{"verdict": "allowed"}, {"figure": 3}, {"figure": "many"}, {"finding": None}, {"bound": []}],
)
def test_a_check_that_somebody_altered_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(MalformedBlobError):
        Check.from_plain(NORM.to_plain() | change, "report")


def test_the_first_refusal_is_what_is_raised() -> None:
    Passage((NORM,)).require()
    with pytest.raises(AirlockRefusedError) as caught:
        Passage((NORM, LIKENESS)).require()
    assert (caught.value.check, caught.value.hint) == ("likeness", "train on more")
    assert caught.value.exit_code == 4
