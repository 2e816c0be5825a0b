// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A site's place in a run, packed in one slot that every act of the site rewrites. From the
/// lowest bit: attested (proposal 8, attempt 8, round 32), submitted (attempt 8, round 32), position
/// 16, consenting 8, maximumExamples 40, expiry 40, grant 64.
type Membership is uint256;

using Memberships for Membership global;

/// @title Fields of a packed membership
/// @notice Reads and changes the fields of a site's place in a run.
library Memberships {
    uint256 private constant _SUBMITTED = 48;
    uint256 private constant _POSITION = 88;
    uint256 private constant _CONSENTING = 104;
    uint256 private constant _MAXIMUM_EXAMPLES = 112;
    uint256 private constant _EXPIRY = 152;
    uint256 private constant _GRANT = 192;

    /// @notice Consent under a grant; what the site submitted and attested before stays known.
    function consented(Membership member, uint16 place, uint40 examples, uint40 end, uint64 under)
        internal
        pure
        returns (Membership)
    {
        return Membership.wrap(
            (Membership.unwrap(member) & type(uint88).max) | uint256(place) << _POSITION | 1 << _CONSENTING
                | uint256(examples) << _MAXIMUM_EXAMPLES | uint256(end) << _EXPIRY | uint256(under) << _GRANT
        );
    }

    /// @notice End the consent.
    function ended(Membership member) internal pure returns (Membership) {
        return Membership.wrap(Membership.unwrap(member) & ~(uint256(1) << _CONSENTING));
    }

    /// @notice Note a submission to an attempt.
    function withSubmitted(Membership member, uint40 attemptKey) internal pure returns (Membership) {
        uint256 others = Membership.unwrap(member) & ~(uint256(type(uint40).max) << _SUBMITTED);
        return Membership.wrap(others | uint256(attemptKey) << _SUBMITTED);
    }

    /// @notice Note an attestation of, or an objection to, a proposal.
    function withAttested(Membership member, uint48 proposalKey) internal pure returns (Membership) {
        return Membership.wrap((Membership.unwrap(member) & ~uint256(type(uint48).max)) | proposalKey);
    }

    /// @notice Tell whether the site ever consented.
    function known(Membership member) internal pure returns (bool) {
        return Membership.unwrap(member) != 0;
    }

    /// @notice Tell whether the site took part in an attempt with this frozen roster. A site whose
    /// consent ended was in the cohort for sure only if it submitted to the attempt.
    function tookPart(Membership member, uint16 rosterLength, uint40 attemptKey) internal pure returns (bool) {
        return known(member) && position(member) < rosterLength
            && (consenting(member) || submittedKey(member) == attemptKey);
    }

    /// @notice Give the proposal last attested or objected to, as (round, attempt, proposal).
    function attestedKey(Membership member) internal pure returns (uint48) {
        return uint48(Membership.unwrap(member));
    }

    /// @notice Give the attempt last submitted to, as (round, attempt).
    function submittedKey(Membership member) internal pure returns (uint40) {
        return uint40(Membership.unwrap(member) >> _SUBMITTED);
    }

    /// @notice Give the position in the roster.
    function position(Membership member) internal pure returns (uint16) {
        return uint16(Membership.unwrap(member) >> _POSITION);
    }

    /// @notice Tell whether the consent stands.
    function consenting(Membership member) internal pure returns (bool) {
        return uint8(Membership.unwrap(member) >> _CONSENTING) != 0;
    }

    /// @notice Give the highest weight of an update, in examples.
    function maximumExamples(Membership member) internal pure returns (uint40) {
        return uint40(Membership.unwrap(member) >> _MAXIMUM_EXAMPLES);
    }

    /// @notice Give the time in seconds when the grant ends.
    function expiry(Membership member) internal pure returns (uint40) {
        return uint40(Membership.unwrap(member) >> _EXPIRY);
    }

    /// @notice Give the grant of the consent.
    function grant(Membership member) internal pure returns (uint64) {
        return uint64(Membership.unwrap(member) >> _GRANT);
    }
}
