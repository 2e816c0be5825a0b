// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Events that extend a running hash
/// @notice Writes an event to the log and returns the running hash over it and all before it.
/// @dev An entry is abi.encode(head, topics..., data...): the hash covers all of it and the event is
/// logged from the same memory, so the two cannot differ. `emit` would encode everything a second
/// time, which is what the assembly avoids.
library RunningLog {
    /// @notice Log an entry with one indexed field.
    function log2(bytes memory entry) internal returns (bytes32 head) {
        head = keccak256(entry);
        assembly ("memory-safe") {
            log2(add(entry, 0x80), sub(mload(entry), 0x60), mload(add(entry, 0x40)), mload(add(entry, 0x60)))
        }
    }

    /// @notice Log an entry with two indexed fields.
    function log3(bytes memory entry) internal returns (bytes32 head) {
        head = keccak256(entry);
        assembly ("memory-safe") {
            log3(
                add(entry, 0xa0),
                sub(mload(entry), 0x80),
                mload(add(entry, 0x40)),
                mload(add(entry, 0x60)),
                mload(add(entry, 0x80))
            )
        }
    }

    /// @notice Log an entry with three indexed fields.
    function log4(bytes memory entry) internal returns (bytes32 head) {
        head = keccak256(entry);
        assembly ("memory-safe") {
            log4(
                add(entry, 0xc0),
                sub(mload(entry), 0xa0),
                mload(add(entry, 0x40)),
                mload(add(entry, 0x60)),
                mload(add(entry, 0x80)),
                mload(add(entry, 0xa0))
            )
        }
    }

    /// @notice Log an entry with three indexed fields whose last field is `bytes`.
    /// @param words Head, topics and data up to the length of the last field, as abi.encode lays them
    /// out; nothing may have been allocated since.
    /// @param tail The last field.
    function log4(bytes32[15] memory words, bytes calldata tail) internal returns (bytes32 head) {
        assembly ("memory-safe") {
            let end := add(words, 480)
            // The tail goes to free memory right behind the words, so they must be the last in use.
            if iszero(eq(end, mload(0x40))) { revert(0, 0) }
            let padded := and(add(tail.length, 31), not(31))
            // Zero the padding first; for an empty tail this is the length, which is zero already.
            mstore(add(end, sub(padded, 32)), 0)
            calldatacopy(end, tail.offset, tail.length)
            head := keccak256(words, add(480, padded))
            log4(
                add(words, 160),
                add(320, padded),
                mload(add(words, 32)),
                mload(add(words, 64)),
                mload(add(words, 96)),
                mload(add(words, 128))
            )
        }
    }
}
