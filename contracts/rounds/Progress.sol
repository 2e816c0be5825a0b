// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What every submission and vote changes, packed in one slot so that it writes this and the
/// site's membership and nothing else. From the lowest bit, 16 each: submitted, attested, objected;
/// then the running hash, of which the last six bytes give way to the counts. While submissions are
/// collected there are no votes: their 32 bits then tell whether the stage has closed, and when; or, with the
/// highest of them, that it waits for stragglers, and until when.
/// @dev A hash of 26 bytes still costs 2^104 steps to collide and 2^208 to replace.
type Progress is uint256;

using ProgressFields for Progress global;

/// @title Fields of a packed progress
/// @notice Reads and changes a run's running hash and the counts of an attempt.
library ProgressFields {
    uint256 private constant _ATTESTED = 16;
    uint256 private constant _OBJECTED = 32;
    /// @dev In place of both votes; the seconds left at the closing, plus one.
    uint256 private constant _CLOSING = 16;
    uint256 private constant _WAITING = 1 << 47;
    uint256 private constant _COUNTS = type(uint48).max;

    /// @notice Put a new running hash in place of the old one.
    function extended(Progress progress, bytes32 next) internal pure returns (Progress) {
        return Progress.wrap((uint256(next) & ~_COUNTS) | (Progress.unwrap(progress) & _COUNTS));
    }

    /// @notice Forget all counts, for a new attempt.
    function withoutCounts(Progress progress) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(progress) & ~_COUNTS);
    }

    /// @notice Forget the votes, or that the stage has closed, for a new proposal.
    function withoutVotes(Progress progress) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(progress) & ~(_COUNTS ^ type(uint16).max));
    }

    /// @notice Count one more submission.
    function plusSubmitted(Progress progress) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(progress) + 1);
    }

    /// @notice Count more submissions at once.
    function plusSubmissions(Progress progress, uint16 more) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(progress) + more);
    }

    /// @notice Note that the stage closes with some seconds left before its deadline.
    function withClosing(Progress progress, uint32 left) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(withoutVotes(progress)) + ((uint256(left) + 1) << _CLOSING));
    }

    /// @notice Note that stragglers are waited for until some seconds before the stage's own deadline.
    function withWaiting(Progress progress, uint32 left) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(withClosing(progress, left)) | _WAITING);
    }

    /// @notice Count one more attestation.
    function plusAttested(Progress progress) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(progress) + (1 << _ATTESTED));
    }

    /// @notice Count one more objection.
    function plusObjected(Progress progress) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(progress) + (1 << _OBJECTED));
    }

    /// @notice Give the running hash; its last six bytes are zero.
    function head(Progress progress) internal pure returns (bytes32) {
        return bytes32(Progress.unwrap(progress) & ~_COUNTS);
    }

    /// @notice Give the number of submissions.
    function submitted(Progress progress) internal pure returns (uint16) {
        return uint16(Progress.unwrap(progress));
    }

    /// @notice Tell whether the stage has closed; only while submissions are collected.
    function hasClosed(Progress progress) internal pure returns (bool) {
        return uint32(Progress.unwrap(progress) >> _CLOSING) != 0 && !isWaiting(progress);
    }

    /// @notice Tell whether stragglers are waited for; only while submissions are collected.
    function isWaiting(Progress progress) internal pure returns (bool) {
        return Progress.unwrap(progress) & _WAITING != 0;
    }

    /// @notice Give the seconds before the deadline at which the stage closed, or the wait ends.
    function secondsLeft(Progress progress) internal pure returns (uint32) {
        return uint32((Progress.unwrap(progress) & (_WAITING - 1)) >> _CLOSING) - 1;
    }

    /// @notice Give the number of attestations.
    function attested(Progress progress) internal pure returns (uint16) {
        return uint16(Progress.unwrap(progress) >> _ATTESTED);
    }

    /// @notice Give the number of objections.
    function objected(Progress progress) internal pure returns (uint16) {
        return uint16(Progress.unwrap(progress) >> _OBJECTED);
    }
}
