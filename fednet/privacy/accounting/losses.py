"""What noise costs, more tightly: the sum of the steps' privacy losses, by Fourier transform.

Gopi, Lee and Wutschitz, 2021, "Numerical composition of differential privacy",
https://arxiv.org/abs/2106.02848: the loss of one step is a random variable (PRV) whose
distribution is known; that of many steps is its convolution with itself. What comes
out is an upper bound, `ERROR` above the estimate. Promises are kept by the Renyi curve,
which adds up over unlike runs and is the same on every machine; this tells how much
of a promise is in truth left.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fednet.domain.privacy import NoisySteps
from fednet.errors import PrivacyError
from fednet.privacy.accounting.renyi import curve_of, epsilon_of

ERROR = 0.01
"""How far the bound may lie above the truth."""
_DELTA_SHARE = 1_000
"""Delta over what the computation may get wrong of it."""
_MOST_POINTS = 1 << 23
_ROOT_2 = math.sqrt(2)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)

Floats = npt.NDArray[np.float64]


def tight_epsilon(noise: NoisySteps, delta: float, error: float = ERROR) -> float:
    """Return an epsilon that steps of one kind keep to, at delta.

    Args:
        noise: Of at least one step.
        delta: Above 0, below 1.
        error: How far the answer may lie above the truth.

    Raises:
        PrivacyError: There is too little noise, or a delta too small, for float64.
    """
    spare = delta / _DELTA_SHARE
    mesh = error / math.sqrt(noise.steps * math.log(12 / spare) / 2)
    losses = _losses(noise, _reach(noise, spare, error), mesh)
    chances = _chances(noise, losses, mesh)
    # The grid is moved so that its mean is the true one: errors of the steps then cancel out.
    shift = _mean(noise, losses[0] - mesh / 2, losses[-1] + mesh / 2) - float(losses @ chances)
    if abs(shift) > mesh / 2:
        raise PrivacyError("losses are too finely spread to be added up", subject="accounting")
    total = np.fft.irfft(np.fft.rfft(chances) ** noise.steps, len(chances))
    turn = noise.steps - 1 + (len(chances) // 2 if noise.steps % 2 == 0 else 0)
    summed = losses + noise.steps * shift
    return max(0.0, _epsilon(np.roll(total, turn), summed, delta - spare) + error)


def _reach(noise: NoisySteps, spare: float, error: float) -> float:
    """Return the largest loss that matters: remark 5.6 of the paper, with room."""
    single = NoisySteps(noise.examples, noise.batch_size, noise.noise_multiplier, 1)
    all_steps = epsilon_of(curve_of([noise]), spare / 4)
    one_step = epsilon_of(curve_of([single]), spare / (8 * noise.steps))
    return max(all_steps, one_step, error) + 3


def _losses(noise: NoisySteps, reach: float, mesh: float) -> Floats:
    """Return an even number of losses around 0, a multiple of the mesh each."""
    half = math.ceil(reach / mesh)
    if 2 * half + 2 > _MOST_POINTS:
        raise PrivacyError(
            "so little noise needs too fine an account",
            subject=f"noise_multiplier {noise.noise_multiplier}",
            hint="the Renyi bound holds all the same",
        )
    found: Floats = np.arange(-half, half + 2, dtype=np.float64) * mesh
    return found


def _chances(noise: NoisySteps, losses: Floats, mesh: float) -> Floats:
    edges = _below(noise, np.append(losses - mesh / 2, losses[-1] + mesh / 2))
    found: Floats = np.diff(edges) / (edges[-1] - edges[0])
    return found


def _below(noise: NoisySteps, losses: Floats) -> Floats:
    """Return the chance of a step's loss below each of some: proposition B.4 of the paper."""
    rate, sigma = noise.sample_rate, float(noise.noise_multiplier)
    inside = losses > (math.log1p(-rate) if rate < 1 else -math.inf)
    at = np.log((np.exp(losses[inside]) + (rate - 1)) / rate) * sigma**2
    scale = 2 * _ROOT_2 * sigma
    found = np.zeros_like(losses)
    found[inside] = 1 - rate * _erfc((2 * at - 1) / scale) / 2
    found[inside] -= (1 - rate) * _erfc((2 * at + 1) / scale) / 2
    return found


def _mean(noise: NoisySteps, low: float, high: float) -> float:
    """Return the mean of a step's loss within bounds: high - integral of the chances below."""
    steps = np.geomspace(1e-7, 1.0, 60)
    ends = np.concatenate([[low], (low * steps)[::-1][1:], [0.0], (high * steps)[:-1], [high]])
    middle, half = (ends[1:] + ends[:-1]) / 2, (ends[1:] - ends[:-1]) / 2
    points = (middle[:, None] + half[:, None] * _NODES).ravel()
    bottom, top = _below(noise, np.array([low, high]))
    below = (_below(noise, points) - bottom) / (top - bottom)
    return float(high - (half[:, None] * _WEIGHTS).ravel() @ below)


def _epsilon(chances: Floats, losses: Floats, delta: float) -> float:
    """Return where the sum of chances above it, discounted, is delta."""
    above = np.cumsum(chances[::-1])[::-1]
    discounted = np.cumsum((chances * np.exp(-losses))[::-1])[::-1]
    missed = np.exp(losses) * discounted - above
    at = int(np.searchsorted(missed, -delta))
    if delta < np.finfo(np.float64).eps * len(losses) or not 0 < at < len(losses):
        raise PrivacyError(
            "delta is too small for what floats can add up",
            subject="accounting",
            actual=delta,
            hint="the Renyi bound holds all the same",
        )
    return float(np.log((above[at] - delta) / discounted[at]))


def _erfc(values: Floats) -> Floats:
    """Return math.erfc of each; NumPy has none."""
    return np.fromiter(map(math.erfc, values.tolist()), np.float64, len(values))
