// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PlainRounds} from "../PlainRounds.sol";
import {IBatchedRounds} from "../interfaces/IBatchedRounds.sol";
import {BatchBits} from "./BatchBits.sol";
import {Membership} from "./Membership.sol";
import {Place} from "./Place.sol";
import {Progress} from "./Progress.sol";

/// @title Seats of a roster, as bits
/// @notice Keeps whose consent stands and who has submitted, for batches that cannot ask each site's slot.
abstract contract BatchSeats is PlainRounds, IBatchedRounds {
    uint256 private constant _ROW_BYTES = 37;

    /// @dev By roster position; see `BatchBits`.
    mapping(uint64 run => mapping(uint256 index => uint256 bits)) private _seats;
    mapping(uint64 run => mapping(uint256 index => uint256 bits)) private _submissions;

    function _setSeat(uint64 run, uint16 position, bool taken) internal override {
        (uint256 index, uint256 bit) = _split(position);
        uint256 bits = _seats[run][index];
        _seats[run][index] = taken ? bits | bit : bits & ~bit;
        // Whoever fills the word pays for its other slot too, so that no batch has to: of attempt zero.
        if (taken && bit == 1) _submissions[run][index] = uint256(1) << BatchBits.POSITIONS;
    }

    /// @dev A site's own submission stands in place of its row in a batch, which then counted already.
    function _counted(uint64 run, uint32 site, Place place, Progress progress) internal override returns (Progress) {
        (uint256 index, uint256 bit) = _split(_records[run].members[site].position());
        uint40 key = place.attemptKey();
        uint256 bits = BatchBits.held(_submissions[run][index], key);
        if (bits & bit != 0) return progress;
        _submissions[run][index] = bits | bit | uint256(key) << BatchBits.POSITIONS;
        return progress.plusSubmitted();
    }

    /// @dev Marks the positions of a batch that count, and gives their number.
    function _mark(uint64 run, Place place, uint256[] calldata positions, uint256 rowBytes)
        internal
        returns (uint256 added)
    {
        uint40 key = place.attemptKey();
        uint256 marked = 0;
        for (uint256 index = 0; index < positions.length; ++index) {
            uint256 bits = positions[index];
            if (bits & ~BatchBits.below(index, place.rosterLength()) != 0) revert BatchMalformed(run, marked, rowBytes);
            marked += BatchBits.count(bits);
            uint256 before = BatchBits.held(_submissions[run][index], key);
            bits &= _seats[run][index] & ~before;
            if (bits == 0) continue;
            added += BatchBits.count(bits);
            _submissions[run][index] = bits | before | uint256(key) << BatchBits.POSITIONS;
        }
        if (rowBytes != marked * _ROW_BYTES) revert BatchMalformed(run, marked, rowBytes);
        if (added == 0) revert BatchWithoutEffect(run);
    }

    function _submittedKeyOf(uint64 run, Membership member) internal view override returns (uint40) {
        if (!member.known()) return 0;
        uint40 own = member.submittedKey();
        (uint256 index, uint256 bit) = _split(member.position());
        uint256 word = _submissions[run][index];
        uint40 key = uint40(word >> BatchBits.POSITIONS);
        return word & bit != 0 && key > own ? key : own;
    }

    function _isSeated(uint64 run, uint256 position) internal view returns (bool) {
        (uint256 index, uint256 bit) = _split(position);
        return _seats[run][index] & bit != 0;
    }

    function _split(uint256 position) private pure returns (uint256 index, uint256 bit) {
        return (position / BatchBits.POSITIONS, uint256(1) << (position % BatchBits.POSITIONS));
    }
}
