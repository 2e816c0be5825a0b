"""Write the assessment as Markdown; equal bytes for an equal plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fednet.domain.plan import Plan
from fednet.errors import PrivacyError
from fednet.exports.assessment.measures import ALWAYS, BY_SITES, measures
from fednet.exports.assessment.risks import Risk, risks
from fednet.exports.texts import clean, code
from fednet.privacy.accounting import forecast

BLANK = "**To be filled in:**"
"""Begins every place that only people can fill."""
_FACTOR = 10


def write_assessment(plan: Plan) -> bytes:
    """Return the document.

    Raises:
        PlanError: Masks that the plan asks for cannot work.
    """
    parts: tuple[Callable[[Plan], Iterator[str]], ...] = (
        _head,
        _description,
        _necessity,
        _risks,
        _measures,
        _decision,
        _annex,
    )
    return ("\n".join(line for part in parts for line in part(plan)) + "\n").encode()


def _head(plan: Plan) -> Iterator[str]:
    yield f"# Data-protection impact assessment: {clean(plan.name)}"
    yield ""
    yield (
        "A template by article 35(7) GDPR, made by `fednet plan dpia` from the plan with the"
        f" commitment `{plan.commitment}`. What the plan determines is filled in. {BLANK} marks"
        " what only people know; until every mark is gone, this is no assessment. Another plan, or"
        " a changed one, needs another."
    )
    yield ""
    yield f"- {BLANK} controllers, and how they share their duties (article 26)"
    yield f"- {BLANK} data-protection officers who advised, and what they said (article 35(2))"
    yield f"- {BLANK} date, author, version"
    yield ""


def _description(plan: Plan) -> Iterator[str]:
    training, cohort, model = plan.training, plan.cohort, plan.model
    yield "## 1. The processing and its purposes (article 35(7)(a))"
    yield ""
    yield "### What is done"
    yield ""
    yield (
        f"{cohort.minimum_sites} to {cohort.maximum_sites} institutions train one model together,"
        f" in at most {plan.rounds} rounds. In each round every institution trains the shared model"
        f" on its own records by {training.algorithm} ({training.local_epochs} epochs, batches of"
        f" {training.batch_size}, learning rate {training.learning_rate}) and hands in the"
        f" difference{', masked' if plan.is_masked else ''}; the differences are combined by"
        f" {plan.aggregation.rule}. Records do not leave the institution."
    )
    yield ""
    yield f"- task: {code(plan.task.source)}, code digest `{plan.task.digest}`"
    yield f"- initial model: `{model.commitment}`, {model.size_bytes} bytes"
    ring = f"masked integers of {plan.masking.ring_bits} bits, made of "
    yield f"- form of an update: {ring if plan.is_masked else ''}{plan.update.codec}"
    metric = plan.evaluation.metric
    yield f"- measured at each institution and published: {code(metric) if metric else 'nothing'}"
    yield f"- led by the rounds module: {plan.module.name}"
    yield ""
    yield "### What only people know"
    yield ""
    for text in (
        "purposes of the processing, and of the model once it is finished",
        "whose data (patients, staff, others), which categories, which special ones (article 9)",
        "where the records come from, from when to when, how many people",
        "who receives the model, and who may read updates; countries outside the EEA (chapter V)",
        "how long updates and models are kept, and who deletes them",
        "where legitimate interest is relied on: which interest",
    ):
        yield f"- {BLANK} {text}"
    yield ""


def _necessity(plan: Plan) -> Iterator[str]:
    yield "## 2. Necessity and proportionality (article 35(7)(b))"
    yield ""
    yield "### What the plan limits"
    yield ""
    update = plan.update
    yield (
        f"- An update counts with {update.minimum_examples} to {update.maximum_examples} examples."
    )
    ends = plan.evaluation.may_end
    yield (
        f"- {plan.rounds} rounds at most"
        + (", fewer once the metric's target or patience ends the run." if ends else ".")
    )
    yield f"- {_spent(plan)}"
    yield "- No record is copied to another institution or to a server: there is none."
    yield ""
    yield "### What only people know"
    yield ""
    for text in (
        "legal basis (articles 6 and 9), and where it is consent, how it is given and withdrawn",
        "why the purpose needs this data, and not less, older, synthetic or anonymous data",
        "why training together is needed, and not by each institution for itself",
        "how people are informed (articles 13 and 14)",
        "how access, rectification, erasure and objection are dealt with (articles 15 to 22)",
        "which decisions the model takes part in (article 22)",
        "processors and contracts with them (article 28)",
    ):
        yield f"- {BLANK} {text}"
    yield ""


def _spent(plan: Plan) -> str:
    """Say what differential privacy costs the smallest dataset, and one ten times as large."""
    if plan.privacy.mechanism == "none":
        return "The plan bounds no epsilon: there is no differential privacy."
    least = plan.update.minimum_examples
    sizes = sorted({least, min(least * _FACTOR, plan.update.maximum_examples)})
    if plan.privacy.hides_sites:
        # Whole sites cost the same, however many examples they have.
        sizes = sizes[:1]
    try:
        told = ", ".join(_forecast(plan, size) for size in sizes)
    except PrivacyError:
        told = "no finite epsilon, so little is the noise"
    promise = plan.privacy
    return (
        f"Promised for any one record: epsilon {promise.epsilon} at delta {promise.delta}. All"
        f" {plan.rounds} rounds would spend {told}."
    )


def _forecast(plan: Plan, size: int) -> str:
    epsilon = forecast(plan, size).epsilon
    return (
        f"{epsilon} at each site" if plan.privacy.hides_sites else f"{epsilon} with {size} examples"
    )


def _risks(plan: Plan) -> Iterator[str]:
    yield "## 3. Risks to the rights and freedoms of people (article 35(7)(c))"
    yield ""
    found = list(risks(plan))
    left = sum(1 for each in found if each.open)
    yield (
        f"{len(found)} risks are known beforehand; {left} of them this plan leaves open by itself."
        " How likely and how severe each is, depends on the data and is not for a plan to say."
    )
    yield ""
    for number, risk in enumerate(found, start=1):
        yield from _risk(number, risk)
    yield f"### 3.{len(found) + 1} Other risks"
    yield ""
    yield f"- {BLANK} risks of this data and of the model's use"
    yield f"- {BLANK} what people or their representatives said (article 35(9))"
    yield ""


def _risk(number: int, risk: Risk) -> Iterator[str]:
    yield f"### 3.{number} {risk.title}"
    yield ""
    yield risk.harm
    yield ""
    yield f"- by the plan ({'open' if risk.open else 'met or bounded'}): {risk.plan}"
    yield f"- {BLANK} likelihood, severity, and why"
    yield ""


def _measures(plan: Plan) -> Iterator[str]:
    yield "## 4. Measures (article 35(7)(d))"
    yield ""
    yield "### By this plan"
    yield ""
    for text in measures(plan):
        yield f"- {text}"
    yield ""
    yield "### By fednet, whatever the plan says"
    yield ""
    for text in ALWAYS:
        yield f"- {text}"
    yield ""
    yield "### By each institution, in settings of its own that no plan can widen"
    yield ""
    for name, text in BY_SITES:
        yield f"- {name}: {BLANK} {text}"
    yield ""
    yield "### What none of them can do"
    yield ""
    yield (
        "Nobody can prove that a member kept no copy, that training was real, or that records were"
        " collected lawfully. What stood on the ledger stays there."
    )
    yield ""


def _decision(_plan: Plan) -> Iterator[str]:
    yield "## 5. What remains, and who decides"
    yield ""
    for text in (
        "risks that remain after the measures, and whether they are high: then the supervisory"
        " authority is to be consulted first (article 36)",
        "decision, name and date of each controller",
        "when this is reviewed: at the latest when data, plan or use change (article 35(11))",
    ):
        yield f"- {BLANK} {text}"
    yield ""


def _annex(plan: Plan) -> Iterator[str]:
    yield "## Annex: the plan in full"
    yield ""
    yield "| field | value |"
    yield "|---|---|"
    for name, value in plan.model_dump().items():
        if isinstance(value, dict):
            for inner, said in value.items():
                yield f"| {name}.{inner} | {_value(said)} |"
        else:
            yield f"| {name} | {_value(value)} |"


def _value(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(code(each) for each in value) or "none"
    return "not set" if value is None or value == "" else code(value)
