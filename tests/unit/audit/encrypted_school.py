"""A run of real training in which all is encrypted."""

from __future__ import annotations

from typing import Any

from fednet.audit import AuditReport
from tests.encrypting import ckks_key
from tests.unit.audit.encrypted_world import Encrypting, encrypting
from tests.unit.audit.schooling import SITES, School


class Encrypted(Encrypting, School):
    """All is encrypted, and the audit has every key."""

    def audit(self, *arguments: Any, **named: Any) -> AuditReport:
        return super().audit(*arguments, keys=self.keyring(), shared_key=ckks_key(), **named)


PLANNED = {**encrypting(clips=False), "cohort": {"target_sites": SITES, "minimum_updates": 3}}
