"""Turn what contracts return and say into domain values, by the values' own annotations.

Names are matched in snake case and in order; ``tests/parity`` proves that the
two sides agree. Holds no connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeAlias, TypeVar, get_type_hints

from eth_utils.address import to_checksum_address

from fednet.domain import batch_events, disclosure_events, masking_events
from fednet.domain import events as domain_events
from fednet.domain.events import LedgerEvent, Log, RunEvent
from fednet.domain.identity import Address, Digest, RunId
from fednet.domain.ledger import Head
from fednet.errors import LedgerError
from fednet.ledger import abi

_Value = TypeVar("_Value")
_Reader: TypeAlias = Callable[[Any], Any]
_known_readers: dict[type[Any], dict[str, _Reader]] = {}
_ANONYMOUS_RUN_TOPIC = 1
_SEALED_LENGTH = len("0x") + 2 * (32 + 65)
"""Extra data that can hold a proof-of-authority seal: vanity and signature."""


def snake_case(name: str) -> str:
    """Spell a Solidity name as Python does."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def plain(value: object) -> abi.Value:
    """Return a domain value as the codec takes it: structs as tuples in field order."""
    if is_dataclass(value):
        return tuple(plain(getattr(value, field.name)) for field in fields(value))
    return value


def build(
    kind: type[_Value],
    components: Sequence[abi.Parameter],
    values: Sequence[abi.Value],
    known: Mapping[str, object],
) -> _Value:
    """Make a domain value from a struct's fields and from what the caller knows already."""
    readers = _readers(kind)
    found = dict(known)
    for component, value in zip(components, values, strict=True):
        name = snake_case(component.name)
        found[name] = readers[name](value)
    return kind(**found)


@dataclass(frozen=True, slots=True)
class _EventForm:
    kind: type[LedgerEvent]
    indexed_types: tuple[str, ...]
    data_types: tuple[str, ...]
    order: tuple[int, ...]
    """Position of each argument among the indexed ones followed by the others."""
    readers: tuple[_Reader, ...]


def to_address(text: str) -> Address:
    """Write an address with the check sum of EIP-55."""
    return Address(to_checksum_address(text))


def read_log(raw: Mapping[str, Any]) -> Log:
    """Read a log as JSON-RPC gives it."""
    try:
        return Log(
            block=int(raw["blockNumber"], 16),
            index=int(raw["logIndex"], 16),
            transaction=Digest(raw["transactionHash"]),
            contract=Address(to_checksum_address(raw["address"])),
            topics=tuple(bytes.fromhex(topic[2:]) for topic in raw["topics"]),
            data=bytes.fromhex(raw["data"][2:]),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise LedgerError("the chain's log cannot be read", actual=str(exc)[:200]) from exc


def read_head(raw: Mapping[str, Any] | None) -> Head:
    """Read a block's header as JSON-RPC gives it."""
    try:
        if raw is None:
            raise LedgerError("the chain has no such block")
        # Clique seals in the extra data and leaves the maker's field empty.
        is_sealed = len(raw.get("extraData") or "") >= _SEALED_LENGTH
        producer = "" if is_sealed else str(raw.get("miner") or "")
        return Head(
            number=int(raw["number"], 16),
            block_hash=Digest(raw["hash"]),
            timestamp=int(raw["timestamp"], 16),
            producer=producer.lower(),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise LedgerError("the chain's block cannot be read", actual=str(raw)[:200]) from exc


def read_event(log: Log) -> LedgerEvent | None:
    """Decode a log; None if it is none of the known events.

    A rounds module we do not know says things we cannot name: they come as
    plain ``RunEvent`` where they follow the modules' form, because they extend
    the running hash all the same.
    """
    form = _forms().get(log.topics[0]) if log.topics else None
    if form is None:
        return None
    indexed = abi.decode(form.indexed_types, b"".join(log.topics[1:]))
    values = indexed + abi.decode(form.data_types, log.data)
    arguments = [read(values[at]) for read, at in zip(form.readers, form.order, strict=True)]
    return form.kind(log, *arguments)


def read_run_event(log: Log) -> RunEvent:
    """Decode a log of a rounds module, known or not."""
    event = read_event(log)
    if isinstance(event, RunEvent):
        return event
    return RunEvent(log, RunId(int.from_bytes(log.topics[_ANONYMOUS_RUN_TOPIC])))


def event_class(log: Log) -> type[LedgerEvent] | None:
    """Name the class that a log would be decoded to; None if it is none of the known events."""
    form = _forms().get(log.topics[0]) if log.topics else None
    return form.kind if form else None


def topic_of(kind: type[LedgerEvent]) -> bytes:
    """Return the first topic of a class of events."""
    return next(topic for topic, form in _forms().items() if form.kind is kind)


@cache
def event_classes() -> dict[str, type[LedgerEvent]]:
    """Return every event class of the domain, by the Solidity event's name."""
    return {
        name: value
        for module in (domain_events, batch_events, disclosure_events, masking_events)
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, LedgerEvent)
        and value not in (LedgerEvent, RunEvent)
    }


@cache
def _forms() -> dict[bytes, _EventForm]:
    classes = event_classes()
    found = {}
    for name in abi.CONTRACTS:
        for event in abi.contract(name).events.values():
            if event.name in classes:
                found[event.selector] = _form(classes[event.name], event)
    return found


def _form(kind: type[LedgerEvent], event: abi.Entry) -> _EventForm:
    indexed = [at for at, each in enumerate(event.inputs) if each.indexed]
    data = [at for at, each in enumerate(event.inputs) if not each.indexed]
    place = {at: position for position, at in enumerate(indexed + data)}
    readers = _readers(kind)
    return _EventForm(
        kind=kind,
        indexed_types=tuple(event.inputs[at].abi_type for at in indexed),
        data_types=tuple(event.inputs[at].abi_type for at in data),
        order=tuple(place[at] for at in range(len(event.inputs))),
        readers=tuple(readers[snake_case(each.name)] for each in event.inputs),
    )


def _readers(kind: type[_Value]) -> dict[str, _Reader]:
    """Say how to make each field of a domain value from what the codec gives."""
    if kind not in _known_readers:
        hints = get_type_hints(kind)
        _known_readers[kind] = {name: _reader(hint) for name, hint in hints.items()}
    return _known_readers[kind]


def _reader(hint: object) -> _Reader:
    if hint is Address:
        return to_checksum_address
    if isinstance(hint, type) and issubclass(hint, Digest | Enum):
        return hint
    return _as_it_is


def _as_it_is(value: abi.Value) -> abi.Value:
    return value
