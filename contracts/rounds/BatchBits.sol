// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Roster positions as bits
/// @notice Works on words of 216 positions; 40 bits above them can say which attempt they belong to.
library BatchBits {
    /// @notice Positions in a word.
    uint256 internal constant POSITIONS = 216;
    /// @notice All positions of a word.
    uint256 internal constant MASK = type(uint216).max;

    /// @notice Count the bits that are set, of 255 at most.
    /// @dev Sums neighbours in parallel (H. S. Warren, Hacker's Delight, section 5-1).
    function count(uint256 bits) internal pure returns (uint256) {
        unchecked {
            bits -= (bits >> 1) & (type(uint256).max / 3);
            bits = (bits & (type(uint256).max / 5)) + ((bits >> 2) & (type(uint256).max / 5));
            bits = (bits + (bits >> 4)) & (type(uint256).max / 17);
            return (bits * (type(uint256).max / 255)) >> 248;
        }
    }

    /// @notice Give the positions of a word if they belong to the attempt, else none.
    function held(uint256 word, uint40 attemptKey) internal pure returns (uint256) {
        return uint40(word >> POSITIONS) == attemptKey ? word & MASK : 0;
    }

    /// @notice Give the positions of a word that are below a length.
    function below(uint256 index, uint256 length) internal pure returns (uint256) {
        uint256 first = index * POSITIONS;
        if (length <= first) return 0;
        return length - first >= POSITIONS ? MASK : (uint256(1) << (length - first)) - 1;
    }
}
