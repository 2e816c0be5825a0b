"""Tensor files on disk: written in their one form, read in chunks, judged by pure functions.

An update's verdict depends on its bytes, the plan and the ledger alone, so every
member and every auditor reaches the same one. Nothing here combines updates,
asks a ledger, or knows how bytes were fetched.
"""

from fednet.codec.codecs import CODECS, Codec, codec_of
from fednet.codec.files import RawFile, TensorFile, write_tensors
from fednet.codec.initial import check_initial_state
from fednet.codec.intake import Expected, Reason, Verdict, judge_manifest, judge_update
from fednet.codec.state import check_state, write_state
from fednet.codec.update import (
    open_update,
    sum_size_limit_bytes,
    update_blob_limit_bytes,
    update_size_limit_bytes,
    write_update,
)

__all__ = [
    "CODECS",
    "Codec",
    "Expected",
    "RawFile",
    "Reason",
    "TensorFile",
    "Verdict",
    "check_initial_state",
    "check_state",
    "codec_of",
    "judge_manifest",
    "judge_update",
    "open_update",
    "sum_size_limit_bytes",
    "update_blob_limit_bytes",
    "update_size_limit_bytes",
    "write_state",
    "write_tensors",
    "write_update",
]
