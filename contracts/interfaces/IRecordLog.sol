// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title One running hash over all records of a ledger
/// @notice Proves from one slot the order of the records and that none is missing.
interface IRecordLog {
    /// @notice Read the running hash over every record.
    /// @return The running hash; its last six bytes are zero.
    function runningHash() external view returns (bytes32);

    /// @notice Count the records.
    /// @return Number of records.
    function recordCount() external view returns (uint48);
}
