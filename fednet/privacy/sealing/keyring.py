"""The keys of a reader who was granted them: what opens, what does not, and what never will."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fednet.domain.identity import Commitment
from fednet.errors import SealedError
from fednet.privacy.sealing.erasure import Erasure
from fednet.privacy.sealing.keys import ContentKey
from fednet.privacy.sealing.opened import SealedBlob


class Keyring:
    """Find the keys that were granted to a reader.

    Args:
        keys: By the commitment of the sealed bytes.
        erasures: What was erased; a key that is still here is then not handed out.
    """

    def __init__(
        self, keys: Mapping[Commitment, ContentKey], erasures: Iterable[Erasure] = ()
    ) -> None:
        self._keys = dict(keys)
        self._erased = {erasure.commitment: erasure for erasure in erasures}

    def key_of(self, blob: SealedBlob) -> ContentKey:
        """Return the key to a blob.

        Raises:
            ErasedError: It was destroyed; carries the grounds.
            SealedError: It is not here; carries the commitment.
        """
        subject = str(blob.place)
        if erasure := self._erased.get(blob.commitment):
            raise erasure.error(subject)
        key = self._keys.get(blob.commitment)
        if key is None:
            raise SealedError(
                "is sealed, and no key to it is here",
                commitment=blob.commitment,
                subject=subject,
                hint="members read it; an auditor asks the consortium for a grant of keys",
            )
        return key
