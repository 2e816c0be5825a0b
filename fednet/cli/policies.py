"""The site's own policy, as its settings name it."""

from __future__ import annotations

import math

from fednet.airlock import AirlockPolicy, read_policy
from fednet.cli.app import App


def airlock_policy(app: App) -> AirlockPolicy:
    """Read what this site lets out.

    Raises:
        SettingsError: The policy's file is not there, or a key in it is wrong.
    """
    stored = app.settings().airlock
    policy = read_policy(app.path(stored.policy)) if stored.policy else AirlockPolicy()
    return policy.tightened(stored.minimum_examples, stored.maximum_norm or math.inf)
