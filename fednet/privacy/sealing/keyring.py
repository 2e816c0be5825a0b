"""The keys of a reader: what opens, what does not, and what never will."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fednet.domain.identity import Commitment
from fednet.errors import ErasedError, SealedError
from fednet.privacy.sealing.erasure import Erasure
from fednet.privacy.sealing.keys import ContentKey
from fednet.privacy.sealing.opened import KeySource, SealedBlob


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


class Keychain:
    """Ask several sources in turn.

    Args:
        sources: The first that has a key gives it.
    """

    def __init__(self, *sources: KeySource) -> None:
        self._sources = sources

    def key_of(self, blob: SealedBlob) -> ContentKey:
        """Return the key to a blob.

        Raises:
            ErasedError: A source destroyed it; no other is asked.
            SealedError: No source has it; what the last one said.
            UnsealingError: The blob's letter is not what the protocol asks for.
        """
        *others, last = self._sources
        for source in others:
            try:
                return source.key_of(blob)
            except ErasedError:
                raise
            except SealedError:
                continue
        return last.key_of(blob)
