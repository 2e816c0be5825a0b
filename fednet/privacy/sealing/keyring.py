"""What a reader can open, cannot open, and never will: one answer for each commitment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fednet.domain.identity import Commitment
from fednet.errors import SealedError
from fednet.privacy.sealing.erasure import Erasure
from fednet.privacy.sealing.keys import ContentKey


class Keyring:
    """Find the key of a sealed blob.

    Args:
        keys: By the commitment of the sealed bytes.
        erasures: What was erased; a key that is still here is then not handed out.
    """

    def __init__(
        self, keys: Mapping[Commitment, ContentKey], erasures: Iterable[Erasure] = ()
    ) -> None:
        self._keys = dict(keys)
        self._erased = {erasure.commitment: erasure for erasure in erasures}

    def key_of(self, commitment: Commitment, subject: str) -> ContentKey:
        """Return the key to a blob.

        Raises:
            ErasedError: It was destroyed; carries the grounds.
            SealedError: It is not here; carries the commitment.
        """
        if erasure := self._erased.get(commitment):
            raise erasure.error(subject)
        key = self._keys.get(commitment)
        if key is None:
            raise SealedError(
                "is sealed, and no key to it is here",
                commitment=commitment,
                subject=subject,
                hint="members read it; an auditor asks the consortium for a grant of keys",
            )
        return key
