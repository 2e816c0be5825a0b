// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRecordLog} from "../interfaces/IRecordLog.sol";
import {RunningLog} from "../rounds/RunningLog.sol";

/// @title Records that extend one running hash
/// @notice Logs a record, and folds it into the hash that one slot holds.
/// @dev To be inherited first: auditors prove slot 0.
abstract contract RecordLog is IRecordLog {
    uint256 private constant _COUNT = type(uint48).max;

    /// @dev The running hash, whose last six bytes give way to the number of records.
    uint256 private _log;

    /// @inheritdoc IRecordLog
    function runningHash() external view returns (bytes32) {
        return _head();
    }

    /// @inheritdoc IRecordLog
    function recordCount() external view returns (uint48) {
        return uint48(_log);
    }

    /// @dev With two indexed fields.
    function _note3(bytes memory entry) internal {
        _extend(RunningLog.log3(entry));
    }

    /// @dev With three indexed fields.
    function _note4(bytes memory entry) internal {
        _extend(RunningLog.log4(entry));
    }

    /// @dev With three indexed fields and one of `bytes`, whose offset is the given word of the entry. Offsets
    /// in a log count from its data, behind the head and four topics.
    function _note4(bytes memory entry, uint256 word) internal {
        assembly ("memory-safe") {
            let place := add(entry, mul(0x20, add(word, 1)))
            mstore(place, sub(mload(place), 0xa0))
        }
        _extend(RunningLog.log4(entry));
    }

    function _head() internal view returns (bytes32) {
        return bytes32(_log & ~_COUNT);
    }

    function _extend(bytes32 head) private {
        _log = (uint256(head) & ~_COUNT) | (uint48(_log) + 1);
    }
}
