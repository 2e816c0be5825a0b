"""A new key of the private swarm, for each member under its registered encryption key.

Who was revoked gets none, and is a stranger to the stores from then on. A letter
names the key that it follows, so that an older one cannot be played again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.domain import canonical
from fednet.domain.identity import Address, Digest, SiteId
from fednet.errors import MalformedBlobError, SettingsError, UnsealingError, VerificationError
from fednet.privacy.sealing import hpke

FORMAT = "fednet-swarm-letter/1"
KEY_SIZE_BYTES = 32
MOST_SITES = 10_000
SIZE_CAP_BYTES = 4_096 + MOST_SITES * 256
_SEALED_SIZE_BYTES = hpke.MESSAGE_OVERHEAD_SIZE_BYTES + KEY_SIZE_BYTES
_FIELDS = {"chain_id", "follows", "format", "registry", "sealed"}


def identity_of(key: bytes) -> Digest:
    """Name a swarm's key without telling it."""
    return Digest(hashlib.sha256(b"fednet-swarm-key/1\0" + key).digest())


@dataclass(frozen=True, slots=True)
class SwarmLetter:
    """A key for each member of one consortium; whether its operator wrote it is not said here."""

    chain_id: int
    registry: Address
    follows: Digest
    """Identity of the key that was in force before."""
    sealed: Mapping[SiteId, bytes]

    @classmethod
    def seal(
        cls,
        chain_id: int,
        registry: Address,
        key: bytes,
        before: bytes,
        members: Mapping[SiteId, bytes],
    ) -> Self:
        """Seal a key for members.

        Args:
            chain_id: Of the consortium's chain.
            registry: Its register of sites.
            key: The new key, 32 bytes.
            before: The key in force.
            members: Public encryption key of each.

        Raises:
            SettingsError: No member or too many, or nobody can seal to a member's key.
        """
        if not 1 <= len(members) <= MOST_SITES:
            raise SettingsError(
                "cannot write to so many members",
                expected=f"1 to {MOST_SITES}",
                actual=len(members),
            )
        letter = cls(chain_id, registry, identity_of(before), {})
        sealed = {}
        for site, public in members.items():
            if not hpke.is_usable(public):
                raise SettingsError(
                    "no secret can be agreed with this encryption key",
                    subject=f"site {site}",
                    actual=public.hex(),
                    hint="let the site register another: `fednet site rotate-key`",
                )
            sealed[site] = hpke.seal_message(public, letter._info(site), key)
        return cls(chain_id, registry, letter.follows, sealed)

    def to_bytes(self) -> bytes:
        """Return the one byte form."""
        return canonical.encode(
            {
                "chain_id": self.chain_id,
                "follows": str(self.follows),
                "format": FORMAT,
                "registry": self.registry,
                "sealed": {str(site): sealed.hex() for site, sealed in self.sealed.items()},
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, subject: str) -> Self:
        """Read a letter.

        Raises:
            MalformedBlobError: It is none, or not in its one form.
        """
        try:
            if len(data) > SIZE_CAP_BYTES:
                raise ValueError("too large")
            raw = canonical.decode(data, subject)
            if not isinstance(raw, dict) or raw.keys() != _FIELDS or raw["format"] != FORMAT:
                raise ValueError("other fields")
            if (type(raw["chain_id"]), type(raw["registry"])) != (int, str):
                raise ValueError("names no consortium")
            rows = raw["sealed"].items()
            sealed = {SiteId(int(site)): bytes.fromhex(text) for site, text in rows}
            if any(len(each) != _SEALED_SIZE_BYTES for each in sealed.values()):
                raise ValueError("a sealed key has another size")
            found = cls(raw["chain_id"], Address(raw["registry"]), Digest(raw["follows"]), sealed)
            if found.to_bytes() != data:
                raise ValueError("another spelling")
        except (ValueError, TypeError, AttributeError, VerificationError) as exc:
            raise MalformedBlobError(
                "is no letter with a swarm's key", subject=subject, actual=str(exc)[:80]
            ) from exc
        return found

    def open(self, site: SiteId, private: X25519PrivateKey, before: bytes) -> bytes:
        """Return the key that the letter has for a member.

        Args:
            site: The member.
            private: Its private encryption key.
            before: The key that the member has.

        Raises:
            UnsealingError: There is none for it, another key has to come first, or it does not
                open.
        """
        if site not in self.sealed:
            raise UnsealingError(
                "the letter has no key for this site",
                subject=f"site {site}",
                hint="only sites that are active when it is written get one: ask the operator",
            )
        if identity_of(before) != self.follows:
            raise UnsealingError(
                "the letter follows another key than the one here",
                subject=f"site {site}",
                expected=self.follows,
                actual=identity_of(before),
                hint="accept the operator's letters in the order in which they were written",
            )
        return hpke.unseal_message(private, self._info(site), self.sealed[site], f"site {site}")

    def _info(self, site: SiteId) -> bytes:
        place = [FORMAT, self.chain_id, self.registry, str(self.follows), site]
        return canonical.encode(place)
