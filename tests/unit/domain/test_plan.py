from decimal import Decimal

import pytest

from fednet.domain.plan import Plan
from fednet.errors import PlanError

MINIMAL = f"""
name = "trial"
rounds = 3
[task]
source = "digits"
digest = "{"0" * 64}"
[model]
commitment = "{"1" * 64}"
size_bytes = 1000
"""

PRIVATE = (
    MINIMAL
    + """
[update]
minimum_examples = 100
[privacy]
mechanism = "dp-sgd"
clip_norm = 1
noise_multiplier = 1
epsilon = 3
delta = 0.00001
"""
)


def test_plan_reads_back_from_its_bytes() -> None:
    plan = Plan.from_toml(MINIMAL + "[training]\nlearning_rate = 0.10\n")
    assert plan.training.learning_rate == Decimal("0.1")
    assert Plan.from_bytes(plan.to_bytes()) == plan


def test_plan_has_the_pinned_commitment() -> None:
    assert (
        str(Plan.from_toml(MINIMAL).commitment)
        == "9d66bf881c525b64c86805c7a557b5372c805ece411034e3278b7464e31f2994"
    )


def test_plan_spelling_does_not_change_its_commitment() -> None:
    one = Plan.from_toml(MINIMAL + "[training]\nlearning_rate = 0.05\n")
    assert one.commitment == Plan.from_toml(MINIMAL).commitment


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (MINIMAL.replace("rounds = 3", ""), "rounds"),
        (MINIMAL.replace("rounds = 3", "rounds = 0"), "rounds"),
        (MINIMAL.replace("rounds = 3", 'rounds = "3"'), "rounds"),
        (MINIMAL.replace("0" * 64, "xyz"), "task.digest"),
        (MINIMAL + "[training]\nlearning_rate = -1\n", "training.learning_rate"),
        (MINIMAL + "[training]\nlearning_rate = nan\n", "training.learning_rate"),
        (MINIMAL + "[training]\nlearning_rat = 1\n", "training.learning_rat"),
        (MINIMAL + "[training]\nproximal_mu = 0.1\n", "proximal_mu"),
        (MINIMAL + '[training]\nalgorithm = "fedprox"\n', "proximal_mu"),
        (MINIMAL + "[cohort]\nminimum_sites = 5\n", "minimum_sites"),
        (MINIMAL + "[cohort]\nquorum_basis_points = 4999\n", "cohort.quorum_basis_points"),
        (MINIMAL + "[cohort]\nmaximum_sites = 2\nminimum_updates = 3\n", "minimum_updates"),
        (MINIMAL + "[cohort]\ntarget_updates = 1\n", "target_updates"),
        (MINIMAL + "[timing]\nstraggler_percent = 50\n", "straggler_percent"),
        (MINIMAL + "[cohort]\nmaximum_sites = 2\ntarget_updates = 3\n", "target_updates"),
        (MINIMAL + "[update]\nminimum_examples = 9\nmaximum_examples = 8\n", "minimum_examples"),
        (MINIMAL + '[module]\nname = "other"\n', "module.name"),
        (MINIMAL + '[training]\nlearning_rate = "1E-999999999"\n', "training.learning_rate"),
        (MINIMAL + "[server]\nadaptivity = 1e-300\n", "server.adaptivity"),
        (MINIMAL + "[module]\ncommittee_sites = 3\n", "committee_sites"),
        (MINIMAL + '[module]\nname = "sampled"\ncommittee_sites = 3\n', "committee_sites"),
        (MINIMAL + '[module]\nname = "batched"\ncommittee_sites = 16\n', "committee_sites"),
        (MINIMAL + "[module]\nbatch_seconds = 3\n", "batch_seconds"),
        (MINIMAL + '[module]\nname = "batched"\nbatch_seconds = 3600\n', "batch_seconds"),
        (
            MINIMAL + '[module]\nname = "batched"\n[timing]\nmax_attempts = 2\n',
            "max_attempts must be at least 3",
        ),
        (MINIMAL + "[module]\nsampled_sites = 3\n", "sampled_sites"),
        (MINIMAL + '[module]\nname = "batched"\nsampled_sites = 3\n', "sampled_sites"),
        (MINIMAL + '[module]\nname = "sampled"\n', "sampled_sites"),
        (MINIMAL + '[module]\nname = "sampled"\nsampled_sites = 1\n', "sampled_sites"),
        (MINIMAL + '[module]\nname = "sampled"\nsampled_sites = 1001\n', "sampled_sites"),
        (
            MINIMAL + '[module]\nname = "sampled"\nsampled_sites = 4\n'
            "[cohort]\ntarget_updates = 5\n",
            "sampled_sites",
        ),
        (
            MINIMAL + '[module]\nname = "sampled"\nsampled_sites = 4\n'
            '[aggregation]\nrule = "krum"\nhostile = 1\nfallback = "median"\n',
            "module.sampled_sites",
        ),
        (MINIMAL + "[privacy]\nepsilon = 3\n", 'epsilon need mechanism = "dp-sgd"'),
        (MINIMAL + '[privacy]\nmechanism = "dp-sgd"\nepsilon = 3\n', "clip_norm, noise_multiplier"),
        (PRIVATE.replace("noise_multiplier = 1", "noise_multiplier = 0.01"), "at least 0.1"),
        (PRIVATE + "[training]\nlocal_epochs = 0\n", "local_epochs"),
        (PRIVATE + "[training]\nbatch_size = 101\n", "minimum_examples"),
        (PRIVATE.replace("delta = 0.00001", "delta = 0.01"), "1 / update.minimum_examples"),
        (PRIVATE + '[evaluation]\nmetric = "accuracy"\n', "without noise"),
        (PRIVATE + '[clusters]\nmethod = "ifca"\ncount = 2\n', "ifca"),
        (MINIMAL + '[privacy]\nsealed = true\n[evaluation]\nmetric = "accuracy"\n', "readable"),
        (
            MINIMAL + "[privacy]\nsealed = true\n[cohort]\nmaximum_sites = 1001\n",
            "cohort.maximum_sites must be at most 1000",
        ),
        (MINIMAL + "[credits]\nper_round = 100_000_000_000_000\n", "credits"),
        (MINIMAL.replace("= 3", "= 1000") + "[credits]\nper_round = 281_474_976_711\n", "credits"),
        ("rounds = ", "TOML"),
    ],
)
def test_plan_names_the_field_that_is_wrong(text: str, field: str) -> None:
    with pytest.raises(PlanError) as caught:
        Plan.from_toml(text)
    assert field in str(caught.value)


CLUSTERS = '[clusters]\nmethod = "{}"\ncount = 2\n[aggregation]\n'
NEEDING_MANY = [
    'rule = "krum"',
    'rule = "multi-krum"',
    'rule = "bulyan"',
    'rule = "median"\nhostile = 1',
    'rule = "trimmed-mean"\nhostile = 1',
    'rule = "geometric-median"\nhostile = 1',
    'rule = "centred-clipping"\nnorm = 1\nhostile = 1',
]


@pytest.mark.parametrize("method", ["ifca", "similarity"])
@pytest.mark.parametrize("rule", NEEDING_MANY)
def test_plan_lets_no_site_alone_in_a_cluster_stop_the_run(method: str, rule: str) -> None:
    many = MINIMAL + "[cohort]\nminimum_updates = 7\nmaximum_sites = 9\ntarget_sites = 7\n"
    stoppable = many + CLUSTERS.format(method) + rule + "\n"
    with pytest.raises(PlanError, match='fallback = "median"'):
        Plan.from_toml(stoppable)
    Plan.from_toml(stoppable + 'fallback = "median"\n')
    Plan.from_toml(many + f"[aggregation]\n{rule}\n")


@pytest.mark.parametrize(
    ("section", "drawn"),
    [
        ("", None),
        ('name = "batched"', 0),
        ('name = "batched"\ncommittee_sites = 15', 15),
        ('name = "sampled"\nsampled_sites = 2', 2),
        ('name = "sampled"\nsampled_sites = 1000', 1_000),
    ],
)
def test_plan_says_how_many_sites_its_module_draws(section: str, drawn: int | None) -> None:
    assert Plan.from_toml(MINIMAL + f"[module]\n{section}\n").module.drawn_sites == drawn


@pytest.mark.parametrize(
    "section",
    [
        "",
        '[training]\nalgorithm = "scaffold"\n',
        '[training]\nalgorithm = "fedprox"\nproximal_mu = 0.1\n',
        '[personal]\nmethod = "ditto"\npull = 0.1\n',
        '[clusters]\nmethod = "similarity"\ncount = 2\n',
        '[aggregation]\nrule = "krum"\nfallback = "median"\n',
        "[staleness]\nrounds = 1\n[cohort]\ntarget_updates = 2\n",
    ],
)
def test_plan_composes_differential_privacy_with_what_looks_at_updates_only(section: str) -> None:
    assert Plan.from_toml(PRIVATE + section).privacy.epsilon == 3


def test_plan_bounds_blobs_by_what_is_stored_of_them() -> None:
    cohort = "[cohort]\nmaximum_sites = 10\n"
    assert Plan.from_toml(MINIMAL + cohort).stored_size_bytes(70_000) == 70_000
    sealed = Plan.from_toml(MINIMAL + cohort + "[privacy]\nsealed = true\n")
    # A letter for ten, a salt, two chunks with a tag each.
    assert sealed.stored_size_bytes(70_000) == 32 + 48 * 10 + 32 + 70_000 + 2 * 16


def test_plan_refuses_bytes_that_leave_defaults_out() -> None:
    plan = Plan.from_toml(MINIMAL)
    shorter = plan.to_bytes().replace(b'"momentum":"0",', b"")
    with pytest.raises(PlanError):
        Plan.from_bytes(shorter)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"{" * 70_000, b"\xff"])
def test_plan_refuses_other_bytes(data: bytes) -> None:
    with pytest.raises(PlanError):
        Plan.from_bytes(data)
