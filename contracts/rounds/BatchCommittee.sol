// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The committee of the proposal at hand, packed in one slot. From the lowest bit: number drawn 8,
/// then 15 positions of 16 bits each, or before the draw the proposal's block; size 8, which the run keeps.
type BatchCommittee is uint256;

using BatchCommittees for BatchCommittee global;

/// @title Fields of a packed committee, and its draw
/// @notice Reads and changes who votes on a proposal before it is final.
library BatchCommittees {
    /// @notice Most members a committee may have.
    uint256 internal constant MAXIMUM = 15;

    uint256 private constant _MEMBERS = 8;
    uint256 private constant _SIZE = 248;
    uint256 private constant _POSITION_BITS = 16;
    /// @dev A chain gives the hashes of so many blocks.
    uint256 private constant _HASHES = 256;

    /// @notice Fix the size, for the whole run.
    function sized(uint256 members) internal pure returns (BatchCommittee) {
        return BatchCommittee.wrap(members << _SIZE);
    }

    /// @notice Wait for the draw.
    function proposed(BatchCommittee committee, uint256 blockNumber) internal pure returns (BatchCommittee) {
        return BatchCommittee.wrap(size(committee) << _SIZE | blockNumber << _MEMBERS);
    }

    /// @notice Note the members drawn.
    function filled(BatchCommittee committee, uint256 positions, uint256 number)
        internal
        pure
        returns (BatchCommittee)
    {
        return BatchCommittee.wrap(size(committee) << _SIZE | positions << _MEMBERS | number);
    }

    /// @notice Name the block whose hash is the seed: the proposal's, which its author cannot know. Once the
    /// chain has forgotten that hash, the seed is every 256th block's after it.
    function seedBlock(BatchCommittee committee) internal view returns (uint256) {
        uint256 first = field(committee);
        return block.number > first ? first + (block.number - 1 - first) / _HASHES * _HASHES : 0;
    }

    /// @notice Give the members needed; zero for the whole cohort.
    function size(BatchCommittee committee) internal pure returns (uint256) {
        return BatchCommittee.unwrap(committee) >> _SIZE;
    }

    /// @notice Give the number of members drawn.
    function drawn(BatchCommittee committee) internal pure returns (uint256) {
        return uint8(BatchCommittee.unwrap(committee));
    }

    /// @notice Give the members' positions; before the draw, the proposal's block.
    function field(BatchCommittee committee) internal pure returns (uint256) {
        return uint240(BatchCommittee.unwrap(committee) >> _MEMBERS);
    }

    /// @notice Tell whether a position was drawn.
    function holds(BatchCommittee committee, uint256 position) internal pure returns (bool) {
        return among(field(committee), drawn(committee), position);
    }

    /// @notice Tell whether a position is among some.
    function among(uint256 positions, uint256 number, uint256 position) internal pure returns (bool) {
        for (uint256 i = 0; i < number; ++i) {
            if (uint16(positions >> (i * _POSITION_BITS)) == position) return true;
        }
        return false;
    }

    /// @notice Put a position behind some.
    function plus(uint256 positions, uint256 number, uint256 position) internal pure returns (uint256) {
        return positions | position << (number * _POSITION_BITS);
    }
}
