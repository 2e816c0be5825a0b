"""The one way out of a site: what leaves is checked here, in its final bytes.

First form: finite values, the planned shapes, a bounded norm and size, and
enough examples. It knows no chain and no store, and it changes nothing.
"""

from __future__ import annotations

from fednet.airlock.airlock import Airlock, AirlockPolicy, Passage

__all__ = ["Airlock", "AirlockPolicy", "Passage"]
