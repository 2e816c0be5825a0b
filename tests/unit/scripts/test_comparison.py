"""Federating keeps its promise on the hospitals' records."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np

from fednet.domain.identity import SiteId
from fednet.domain.sections import TrainingSection
from fednet.learning import partition
from scripts.consortium import comparison, story

FIXED_POINT = story.fixed_point_of_the_demo()
SETTINGS = TrainingSection.model_validate(story.settings_of_the_demo())


def test_federating_keeps_up_with_pooling_and_beats_the_mean_hospital_over_five_seeds() -> None:
    scores = [
        comparison.over_seed(seed, len(story.HOSPITALS), SETTINGS, story.ROUNDS, FIXED_POINT)
        for seed in range(5)
    ]
    federated = statistics.mean(score.federated for score in scores)
    assert federated >= 0.99 * statistics.mean(score.pooled for score in scores)
    assert federated > statistics.mean(score.mean_alone for score in scores)


def test_hospitals_of_the_demo_are_unequal_and_unlike() -> None:
    split = partition.hospitals(len(story.HOSPITALS), story.SEED)
    shares = [comparison.malignant_share(split.header, lines) for lines in split.sites]
    counts = [len(lines) for lines in split.sites]
    assert counts[0] > 3 * counts[-1]
    assert shares[-1] > 3 * shares[0]


def test_replay_with_no_epoch_keeps_the_model(tmp_path: Path) -> None:
    still = SETTINGS.model_copy(update={"local_epochs": 0})
    initial = {"bias": np.ones(2, np.float32), "weight": np.ones((2, 30), np.float32)}
    paths, _ = partition.hospitals(len(story.HOSPITALS), 0).write(tmp_path)
    sites = {SiteId(1): paths[0]}
    state = comparison.replay(initial, sites, still, 1, lambda *_: 0, FIXED_POINT)[-1]
    assert comparison.commitment_of(state) == comparison.commitment_of(initial)
