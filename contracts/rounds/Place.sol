// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsTypes} from "../interfaces/IRoundsTypes.sol";

/// @notice Where a run stands, packed in one slot. Submissions and votes only read it: what they
/// count is in `Progress`, and `Final` is never stored but follows from the counts. From the lowest
/// bit: phase 8, proposal 8, attempt 8, round 32, deadline 40, then 16 each: cohort, rosterLength,
/// expected, quorum; then 48 each: credits granted by final rounds, credits the proposal at hand
/// would grant. While submissions are collected there is no proposal: the last 48 bits then hold how
/// many of the cohort have submitted or still may, and on how many the wait for stragglers begins, 16 each.
type Place is uint256;

using Places for Place global;

/// @title Fields of a packed place
/// @notice Reads and changes the fields of where a run stands.
library Places {
    uint256 private constant _PROPOSAL = 8;
    uint256 private constant _ATTEMPT = 16;
    uint256 private constant _ROUND = 24;
    uint256 private constant _DEADLINE = 56;
    uint256 private constant _COHORT = 96;
    uint256 private constant _ROSTER_LENGTH = 112;
    uint256 private constant _EXPECTED = 128;
    uint256 private constant _QUORUM = 144;
    uint256 private constant _GRANTED = 160;
    uint256 private constant _PROPOSED = 208;
    /// @dev In place of the proposal's credits.
    uint256 private constant _AWAITED = 208;
    uint256 private constant _ENOUGH = 224;

    /// @dev What a change of phase keeps: attempt, round, cohort, roster, quorum, credits granted.
    uint256 private constant _KEPT_BY_MOVE =
        (uint256(type(uint40).max) << _ATTEMPT) | (uint256(type(uint112).max) << _COHORT);

    /// @notice Begin an attempt; only the credits granted stay.
    function begun(Place place, uint32 inRound, uint8 number, uint40 until) internal pure returns (Place) {
        uint256 kept = Place.unwrap(place) & (uint256(type(uint48).max) << _GRANTED);
        return Place.wrap(
            kept | uint256(IRoundsTypes.Phase.Collecting) | uint256(number) << _ATTEMPT | uint256(inRound) << _ROUND
                | uint256(until) << _DEADLINE
        );
    }

    /// @notice Freeze the cohort of an attempt that has just begun.
    function withCohort(Place place, uint16 members, uint16 positions, uint16 needed) internal pure returns (Place) {
        return Place.wrap(
            Place.unwrap(place) | uint256(members) << _COHORT | uint256(positions) << _ROSTER_LENGTH
                | uint256(needed) << _QUORUM
        );
    }

    /// @notice Note how many submit or still may, and so on how many the stage closes: on the target,
    /// or on all of them if they are fewer; on none if they are fewer than the minimum.
    function withAwaited(Place place, uint16 count, uint16 minimum, uint16 target) internal pure returns (Place) {
        uint256 others = Place.unwrap(place) & type(uint208).max & ~(uint256(type(uint16).max) << _EXPECTED);
        uint256 closing = count < minimum ? 0 : count < target ? count : target;
        return Place.wrap(others | closing << _EXPECTED | uint256(count) << _AWAITED);
    }

    /// @notice Note on how many submissions the wait for stragglers begins; after how many are awaited.
    function withEnough(Place place, uint16 count) internal pure returns (Place) {
        return Place.wrap(Place.unwrap(place) | uint256(count) << _ENOUGH);
    }

    /// @notice Go to another phase of the same attempt; credits of a proposal are forgotten.
    function moved(Place place, IRoundsTypes.Phase to, uint8 number, uint40 until) internal pure returns (Place) {
        return Place.wrap(
            (Place.unwrap(place) & _KEPT_BY_MOVE) | uint256(to) | uint256(number) << _PROPOSAL
                | uint256(until) << _DEADLINE
        );
    }

    /// @notice Note the credits that the proposal would grant.
    function withProposed(Place place, uint256 amount) internal pure returns (Place) {
        return Place.wrap((Place.unwrap(place) & type(uint208).max) | amount << _PROPOSED);
    }

    /// @notice Make the proposal final and grant its credits.
    function finalized(Place place) internal pure returns (Place) {
        uint256 kept = Place.unwrap(place) & (uint256(type(uint208).max) ^ type(uint8).max);
        uint256 credits = Place.unwrap(place) >> _PROPOSED;
        return Place.wrap((kept | uint256(IRoundsTypes.Phase.Final)) + (credits << _GRANTED));
    }

    /// @notice Wait for one submission less; only while submissions are collected.
    function minusAwaited(Place place, uint16 minimum) internal pure returns (Place) {
        uint16 count = uint16(Place.unwrap(place) >> _AWAITED) - 1;
        return withEnough(withAwaited(place, count, minimum, expected(place)), enough(place));
    }

    /// @notice Give (round, attempt) as one number; later attempts have higher ones.
    function attemptKey(Place place) internal pure returns (uint40) {
        return uint40(Place.unwrap(place) >> _ATTEMPT);
    }

    /// @notice Give (round, attempt, proposal) as one number; later proposals have higher ones.
    function proposalKey(Place place) internal pure returns (uint48) {
        return uint48(Place.unwrap(place) >> _PROPOSAL);
    }

    /// @notice Give the phase.
    /// @dev Only phases are ever stored there, so the check that a conversion makes is left out.
    function phase(Place place) internal pure returns (IRoundsTypes.Phase found) {
        assembly ("memory-safe") {
            found := and(place, 0xff)
        }
    }

    /// @notice Give the proposal's number.
    function proposal(Place place) internal pure returns (uint8) {
        return uint8(Place.unwrap(place) >> _PROPOSAL);
    }

    /// @notice Give the attempt's number.
    function attempt(Place place) internal pure returns (uint8) {
        return uint8(Place.unwrap(place) >> _ATTEMPT);
    }

    /// @notice Give the round's number.
    function round(Place place) internal pure returns (uint32) {
        return uint32(Place.unwrap(place) >> _ROUND);
    }

    /// @notice Give the end of the phase, in seconds.
    function deadline(Place place) internal pure returns (uint40) {
        return uint40(Place.unwrap(place) >> _DEADLINE);
    }

    /// @notice Give the number of sites in the cohort.
    function cohort(Place place) internal pure returns (uint16) {
        return uint16(Place.unwrap(place) >> _COHORT);
    }

    /// @notice Give the roster's length at the attempt's start.
    function rosterLength(Place place) internal pure returns (uint16) {
        return uint16(Place.unwrap(place) >> _ROSTER_LENGTH);
    }

    /// @notice Give the number of submissions on which the stage closes; zero if too few may still come.
    function expected(Place place) internal pure returns (uint16) {
        return uint16(Place.unwrap(place) >> _EXPECTED);
    }

    /// @notice Give on how many submissions the wait for stragglers begins; zero without one. Only while
    /// submissions are collected.
    function enough(Place place) internal pure returns (uint16) {
        return uint16(Place.unwrap(place) >> _ENOUGH);
    }

    /// @notice Give the number of attestations that make a proposal final.
    function quorum(Place place) internal pure returns (uint16) {
        return uint16(Place.unwrap(place) >> _QUORUM);
    }

    /// @notice Give the credits granted by final rounds.
    function granted(Place place) internal pure returns (uint48) {
        return uint48(Place.unwrap(place) >> _GRANTED);
    }
}
