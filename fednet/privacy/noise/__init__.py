"""Whole-number noise that hides a site within a sum, each site drawing a share of it."""

from fednet.privacy.noise.gaussian import MOST_VARIANCE, discrete_gaussian
from fednet.privacy.noise.shares import clipped, noise_share, total_variance
from fednet.privacy.noise.words import Words

__all__ = [
    "MOST_VARIANCE",
    "Words",
    "clipped",
    "discrete_gaussian",
    "noise_share",
    "total_variance",
]
