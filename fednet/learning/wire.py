"""Frames between a node and its visiting task: a length, canonical JSON, bytes.

A frame is two little-endian lengths (8 bytes each), a canonical JSON object
and a payload, which is empty or one canonical tensor file. Both ends cap both
lengths before they read; nothing is ever unpickled. The node's end lives in
`sandbox`, where every read has a deadline.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import BinaryIO

from fednet.domain import canonical
from fednet.errors import MalformedBlobError, TaskError, TrainingError

LENGTHS_SIZE_BYTES = 16
MAX_MESSAGE_BYTES = 1 << 20
LIKENESS = ("likeness", "chance", "shuffled", "influence")
"""Shares that a scan for records comes to."""
_SUBJECT = "message between node and task"

Message = dict[str, object]


def pack(message: Message, payload: bytes = b"") -> list[bytes]:
    """Return the parts of one frame, to be written in order."""
    text = canonical.encode(message)
    lengths = len(text).to_bytes(8, "little") + len(payload).to_bytes(8, "little")
    return [lengths + text, payload]


def unpack_lengths(head: bytes, max_payload_bytes: int) -> tuple[int, int]:
    """Read and cap the two lengths of a frame.

    Raises:
        MalformedBlobError: A length is above its cap.
    """
    message, payload = int.from_bytes(head[:8], "little"), int.from_bytes(head[8:], "little")
    if message > MAX_MESSAGE_BYTES or payload > max_payload_bytes:
        raise MalformedBlobError(
            "too large",
            subject=_SUBJECT,
            expected=f"at most {MAX_MESSAGE_BYTES} and {max_payload_bytes} bytes",
            actual=f"{message} and {payload} bytes",
        )
    return message, payload


def unpack_message(text: bytes) -> Message:
    """Read the JSON of a frame."""
    return canonical.decode_object(text, _SUBJECT)


def read_frame(stream: BinaryIO) -> tuple[Message, bytes] | None:
    """Read one frame from the node, which is trusted; None at its end."""
    head = stream.read(LENGTHS_SIZE_BYTES)
    if len(head) < LENGTHS_SIZE_BYTES:
        return None
    message, payload = int.from_bytes(head[:8], "little"), int.from_bytes(head[8:], "little")
    return unpack_message(stream.read(message)), stream.read(payload)


def number(message: Message, key: str) -> float:
    """Read a real number that travels as text.

    Raises:
        TaskError: It is missing or not a finite number.
    """
    value = message.get(key)
    try:
        result = float(value) if isinstance(value, str) and len(value) < 400 else math.nan
    except ValueError:
        result = math.nan
    if not math.isfinite(result):
        raise TaskError("the task answered with something else", subject=key, expected="a number")
    return result


def count(message: Message, key: str) -> int:
    """Read a whole number that is not negative.

    Raises:
        TaskError: It is missing or not such a number.
    """
    value = message.get(key)
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise TaskError("the task answered with something else", subject=key, expected="a count")
    return value


def numbers(message: Message, key: str) -> dict[str, float]:
    """Read named real numbers.

    Raises:
        TaskError: They are missing, too many, or one is not finite.
    """
    value = message.get(key)
    if not isinstance(value, dict) or len(value) > 100 or any(len(name) > 100 for name in value):
        raise TaskError("the task answered with something else", subject=key, expected="numbers")
    return {plain_text(name): number(value, name) for name in sorted(value)}


def texts(message: Message, key: str) -> tuple[str, ...]:
    """Read a list of texts.

    Raises:
        TaskError: It is missing or something else.
    """
    value = message.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TaskError("not a list of texts", subject=key)
    return tuple(str(item) for item in value)


def real_texts(values: Mapping[str, float]) -> Message:
    """Write named real numbers as they travel.

    Raises:
        TrainingError: One is not finite.
    """
    return {name: real_text(value, name) for name, value in values.items()}


def real_text(value: float, subject: str) -> str:
    """Write a real number as it travels.

    Raises:
        TrainingError: It is not finite.
    """
    if not math.isfinite(value):
        raise TrainingError("not a finite number", subject=subject, actual=value)
    return canonical.decimal_text(float(value))


def plain_text(value: object, limit: int = 600) -> str:
    """Return text that is safe to print: one line, printable, of bounded length."""
    text = " ".join(str(value).split())
    return "".join(letter if letter.isprintable() else "?" for letter in text[:limit])
