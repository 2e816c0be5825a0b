// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Samples of a roster, drawn by a key
/// @notice Puts the positions of a roster in an order that only the key decides; the first so many are
/// the sample. Each is asked for alone, so that no transaction loops over sites.
/// @dev A generalised Feistel network (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002)
/// over a rectangle just larger than the roster, walked until it leads back into the roster.
library Samples {
    /// @dev With fewer, the samples of rosters of less than ten are visibly uneven.
    uint256 private constant _STEPS = 8;

    /// @notice Give a position's place in the order, from 0; another one for every position.
    function rankOf(bytes32 key, uint256 position, uint256 length) internal pure returns (uint256 rank) {
        unchecked {
            uint256 width = 1;
            while (width * width < length) width <<= 1;
            uint256 height = (length + width - 1) / width;
            rank = position;
            do {
                (uint256 column, uint256 row) = (rank % width, rank / width);
                for (uint256 step = 0; step < _STEPS; step += 2) {
                    column = (column + _mix(key, step, row)) % width;
                    row = (row + _mix(key, step + 1, column)) % height;
                }
                rank = row * width + column;
            } while (rank >= length);
        }
    }

    /// @dev At most 2^240, so that the sums above cannot overflow.
    function _mix(bytes32 key, uint256 step, uint256 other) private pure returns (uint256 mixed) {
        assembly ("memory-safe") {
            mstore(0, key)
            mstore(32, or(shl(16, step), other))
            mixed := shr(16, keccak256(0, 64))
        }
    }
}
