"""Encrypted updates: judged and added without the key, their sum read and decrypted with it.

The first half is what an aggregator does and an auditor repeats, who have the
updates opened and no key; the second what a site does, who has the key and sees
no update but its own. See docs/adr/0024.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from fednet.aggregation import Emit, Outcome, Vector, WrittenState, apply_mean
from fednet.audit.inputs import EncryptedInputs, RoundInputs
from fednet.codec import (
    Expected,
    RawFile,
    Reason,
    Verdict,
    judge_manifest,
    sum_size_limit_bytes,
    update_size_limit_bytes,
)
from fednet.domain.blobs import BlobFile
from fednet.domain.events import UpdateSubmitted
from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.domain.ledger import Inclusion
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.update import Place
from fednet.errors import (
    DecryptionError,
    MalformedBlobError,
    QuorumError,
    SealedError,
    SettingsError,
)
from fednet.privacy.homomorphic import (
    TENSOR_DTYPE,
    WORD_SIZE_BYTES,
    SumHeader,
    Summed,
    WordArray,
    add,
    decrypt_mean,
    read_encrypted_metadata,
    read_sum_header,
    require_all_words,
    write_sum_header,
)
from fednet.privacy.homomorphic.agreement import form_of, numbers_of

_MOST_OPEN = 256
"""Updates kept open while adding; further ones are opened for each read."""


class WordFile(RawFile):
    """Read the words of ciphertexts, in chunks.

    Args:
        path: The file, or where in one it stands.
        subject: What the file is, for errors.
        size_limit_bytes: Refuse a larger file before reading any of it.

    Raises:
        MalformedBlobError: Too large, or no canonical file of words.
        SettingsError: The file cannot be opened.
    """

    def __init__(self, path: BlobFile, subject: str, size_limit_bytes: int) -> None:
        super().__init__(path, subject, size_limit_bytes, frozenset({TENSOR_DTYPE}))

    def read_into(self, start: int, out: WordArray) -> None:
        """Fill a contiguous buffer with the words from ``start`` on.

        Raises:
            MalformedBlobError: The file was cut short since it was opened.
        """
        self.read_bytes_into(start * WORD_SIZE_BYTES, out.data.cast("B"))


def judge_encrypted(path: BlobFile, plan: Plan, expected: Expected) -> Verdict:
    """Judge the opened bytes of one submission by its header and the range of its words.

    The caller has verified that the sealed bytes hash to the submitted commitment.

    Raises:
        SettingsError: The file cannot be opened here, which says nothing about it.
    """
    subject, form = f"encrypted update of site {expected.site}", form_of(plan)
    key = Digest(plan.homomorphic.key)
    count = expected.shape.parts[0].layout.element_count
    try:
        with WordFile(path, subject, update_size_limit_bytes(plan)) as file:
            manifest = read_encrypted_metadata(file.header, form, key, count, subject)
            require_all_words(file, form, subject)
    except MalformedBlobError:
        return Verdict.invalid(Reason.MALFORMED)
    if (reason := judge_manifest(manifest, plan, expected)) is not None:
        return Verdict.invalid(reason, manifest.site)
    return Verdict(Inclusion.INCLUDED, author=manifest.site, manifest=manifest)


def write_sum(
    inputs: RoundInputs, verdicts: Mapping[SiteId, Verdict], shape: StateShape, target: Path
) -> Commitment:
    """Write the sum of what counts, durably, and commit to it; the same bytes from everybody.

    Args:
        inputs: With the opened updates, as `judge_encrypted` judged them.
        verdicts: One per submission.
        shape: What the states of the run hold.
        target: Where the sum goes.

    Raises:
        QuorumError: Nothing counts.
        SettingsError: The disk refuses.
    """
    plan, form = inputs.plan, form_of(inputs.plan)
    count = shape.parts[0].layout.element_count
    header = SumHeader(
        inputs.place,
        Digest(plan.homomorphic.key),
        _included(inputs.submissions, verdicts),
        {
            site: verdict.reason
            for site, verdict in verdicts.items()
            if verdict.inclusion is not Inclusion.INCLUDED
        },
    )
    if not header.included:
        raise QuorumError("no encrypted update is valid and available", subject=str(inputs.place))
    head, limit = write_sum_header(form, header, count), update_size_limit_bytes(plan)
    state, unfinished = hashlib.sha256(head), target.with_name(target.name + ".part")
    with ExitStack() as stack:
        sources = []
        for site in header.included:
            path = inputs.paths[site]
            assert path is not None  # of what is unavailable nothing is included
            opened = WordFile(path, f"encrypted update of site {site}", limit)
            sources.append(stack.enter_context(opened))
            if len(sources) > _MOST_OPEN:
                opened.close()
        try:
            with unfinished.open("wb") as file:

                def write(words: WordArray) -> None:
                    data = words.data.cast("B")
                    state.update(data)
                    file.write(data)

                file.write(head)
                add(form, sources, write)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(target)
        except OSError as exc:
            raise SettingsError(
                f"cannot be written: {exc.strerror}",
                subject=target.name,
                hint="check that the disk has room",
            ) from exc
        finally:
            unfinished.unlink(missing_ok=True)
    return Commitment(state.digest())


def read_sum(
    path: BlobFile, plan: Plan, place: Place, submissions: Sequence[UpdateSubmitted]
) -> SumHeader:
    """Read of which updates a sum is, and hold that against the ledger.

    Raises:
        MalformedBlobError: No sum of an attempt's updates, as they stand on the ledger.
        SettingsError: The file cannot be opened.
    """
    subject = f"sum of round {place.round}, attempt {place.attempt}"
    with WordFile(path, subject, sum_size_limit_bytes(plan)) as file:
        header = SumHeader.from_metadata(file.metadata, subject)
    submitted = {each.site: Summed(each.commitment, each.weight) for each in submissions}
    told = {**dict.fromkeys(header.refused), **header.included}
    for name, expected, actual in (
        ("place", place, header.place),
        ("key", plan.homomorphic.key, str(header.key)),
        ("submissions", sorted(submitted), sorted(told)),
        ("included updates", {s: submitted.get(s) for s in header.included}, header.included),
    ):
        if expected != actual:
            raise MalformedBlobError(f"has another {name}", subject=subject, expected=expected)
    if not all(reason in _REASONS for reason in header.refused.values()):
        raise MalformedBlobError("refuses for an unknown reason", subject=subject)
    return header


_REASONS = {"", *Reason}


def verdicts_of(header: SumHeader) -> dict[SiteId, Verdict]:
    """Return what became of each submission, as a sum says."""
    verdicts = {site: Verdict(Inclusion.INCLUDED) for site in header.included}
    for site, reason in header.refused.items():
        verdicts[site] = (
            Verdict.invalid(Reason(reason)) if reason else Verdict(Inclusion.UNAVAILABLE)
        )
    return verdicts


def decrypt_sum(
    inputs: RoundInputs, shape: StateShape, base: Vector, target: Path
) -> tuple[WrittenState, Outcome, Digest]:
    """Write the state that a decrypted sum leads to.

    Args:
        inputs: What the round follows from.
        shape: What the states of the run hold.
        base: The base state's values.
        target: Where the next state is written.

    Returns:
        The state, which sum it came of, and a digest that only who decrypted can know.

    Raises:
        SealedError: The key is not here.
        DecryptionError: Another key or model, or no sum that honest sites can have.
    """
    encrypted = _required(inputs)
    plan, form = inputs.plan, form_of(inputs.plan)
    if encrypted.key is None:
        raise SealedError(
            "the sum is encrypted, and the key that the sites share is not here",
            commitment=encrypted.commitment,
            subject=f"round {inputs.place.round}",
            hint="sites decrypt it; an auditor asks one of them for the key",
        )
    key, subject = encrypted.key, f"sum of round {inputs.place.round}"
    count = shape.parts[0].layout.element_count
    weights = [entry.weight for entry in encrypted.header.included.values()]
    digests: list[Digest] = []
    try:
        with WordFile(encrypted.path, subject, sum_size_limit_bytes(plan)) as file:
            read_sum_header(file.header, form, count, subject)

            def emit_mean(emit: Emit) -> None:
                numbers = numbers_of(plan)
                digests.append(decrypt_mean(key, numbers, weights, file, count, emit))

            written = apply_mean(emit_mean, shape, base, target, server=plan.server)
    except MalformedBlobError as exc:
        raise DecryptionError(
            f"the sum cannot be decrypted: {exc.message}",
            subject=subject,
            expected=exc.expected,
            actual=exc.actual,
        ) from exc
    return written, {"sum": str(encrypted.commitment)}, digests[0]


def _required(inputs: RoundInputs) -> EncryptedInputs:
    if inputs.encrypted is None:
        raise QuorumError("no majority of aggregators has the same sum of encrypted updates")
    return inputs.encrypted


def _included(
    submissions: Sequence[UpdateSubmitted], verdicts: Mapping[SiteId, Verdict]
) -> dict[SiteId, Summed]:
    return {
        entry.site: Summed(entry.commitment, entry.weight)
        for entry in sorted(submissions, key=lambda each: each.site)
        if verdicts[entry.site].inclusion is Inclusion.INCLUDED
    }
