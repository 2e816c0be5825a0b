// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roles} from "../Roles.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {Consents} from "./Consents.sol";
import {Membership} from "./Membership.sol";
import {Place} from "./Place.sol";
import {Progress} from "./Progress.sol";

/// @title Conditions of acts in a round
/// @notice Refuses an act of the wrong site, at the wrong place, too late or out of bounds.
abstract contract Guards is Consents {
    /// @dev Checks and notes a submission by a member of the cohort.
    function _admitUpdate(uint64 run, uint32 site, uint40 attemptKey, uint64 weight)
        internal
        returns (Place place, Progress progress)
    {
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        (place, progress) = _requireCollecting(run, attemptKey);
        Record storage record = _records[run];
        Membership member = record.members[site];
        if (!member.consenting()) revert ConsentMissing(run, site);
        if (member.position() >= place.rosterLength()) revert SiteNotInCohort(run, site);
        if (block.timestamp >= member.expiry()) revert ConsentExpired(run, site, member.expiry());
        if (member.submittedKey() == attemptKey) revert AlreadySubmitted(run, place.round(), site);
        if (weight == 0 || weight > member.maximumExamples()) revert WeightInvalid(weight, member.maximumExamples());
        record.members[site] = member.withSubmitted(attemptKey);
    }

    function _requireCollecting(uint64 run, uint40 attemptKey)
        internal
        view
        returns (Place place, Progress progress)
    {
        Record storage record = _records[run];
        progress = record.progress;
        place = _effective(record, record.place, progress);
        _requirePhase(run, place, Phase.Collecting);
        if (place.attemptKey() != attemptKey) _revertPlace(run, place);
        _requireInTime(run, _deadlineOf(place, progress));
    }

    /// @dev Checks and notes a member's own attestation or objection. Gives the place as stored.
    function _admitVote(uint64 run, uint32 site, uint48 key)
        internal
        returns (Place place, Progress progress, bool current)
    {
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        uint16 rosterLength;
        (place, progress, current, rosterLength) = _requireVoting(run, key);
        progress = _noteVote(run, site, key, place, progress, current, rosterLength);
    }

    /// @dev Votes go to the proposal at hand or to the last that became final before it. Once a proposal
    /// is final, no deadline cuts off votes on it.
    function _requireVoting(uint64 run, uint48 key)
        internal
        view
        returns (Place place, Progress progress, bool current, uint16 rosterLength)
    {
        Record storage record = _records[run];
        (place, progress) = (record.place, record.progress);
        current = place.proposalKey() == key && place.phase() == Phase.Attesting;
        rosterLength = place.rosterLength();
        if (current) {
            if (progress.attested() < place.quorum()) _requireInTime(run, place.deadline());
        } else {
            if (key != record.tally.lastKey) {
                place = _effective(record, place, progress);
                _requirePhase(run, place, Phase.Attesting);
                _revertPlace(run, place);
            }
            rosterLength = record.tally.lastRosterLength;
        }
    }

    /// @dev Keys only grow, so a site that went back to an older one could not vote twice.
    function _noteVote(
        uint64 run,
        uint32 site,
        uint48 key,
        Place place,
        Progress progress,
        bool current,
        uint16 rosterLength
    ) internal returns (Progress) {
        Membership member = _records[run].members[site];
        if (!_tookPart(run, member, rosterLength, uint40(key >> 8))) revert SiteNotInCohort(run, site);
        if (member.attestedKey() >= key) revert AlreadyAttested(run, uint32(key >> 16), site);
        _records[run].members[site] = member.withAttested(key);
        bool early = current && progress.attested() < place.quorum();
        return early ? _admitVoter(run, site, member, place, progress) : progress;
    }

    /// @dev The turn goes round the roster: position (round + attempt + proposal) modulo its length,
    /// until the reveal and a grace period are over. Then it is anybody's of the cohort.
    function _requireTurn(uint64 run, uint32 site, Place place, Pace memory pace, bool allRevealed) internal view {
        Membership member = _records[run].members[site];
        uint256 rosterLength = place.rosterLength();
        if (!_tookPart(run, member, uint16(rosterLength), place.attemptKey())) revert SiteNotInCohort(run, site);
        uint40 revealEnd = place.deadline() - pace.proposeSeconds;
        if (!allRevealed && block.timestamp < revealEnd) revert RevealUnfinished(run, revealEnd);
        uint256 turn = (uint256(place.round()) + place.attempt() + place.proposal()) % rosterLength;
        if (member.position() != turn && block.timestamp < revealEnd + pace.graceSeconds) {
            revert TurnOfAnother(run, site, uint16(turn));
        }
    }

    /// @dev Lets a member vote on a proposal that is not final yet; for modules in which not everybody may.
    function _admitVoter(uint64, uint32, Membership, Place, Progress progress)
        internal
        virtual
        returns (Progress)
    {
        return progress;
    }

    /// @dev Whether the site took part in an attempt with this frozen roster. A site whose consent ended
    /// was in the cohort for sure only if it submitted to the attempt.
    function _tookPart(uint64 run, Membership member, uint16 rosterLength, uint40 attemptKey)
        private
        view
        returns (bool)
    {
        return member.known() && member.position() < rosterLength
            && (member.consenting() || _submittedKeyOf(run, member) == attemptKey);
    }

    function _requireCounts(Proposal calldata proposal, uint16 submitted, Pace memory pace) internal pure {
        uint256 counted = uint256(proposal.included) + proposal.invalid + proposal.unavailable;
        if (counted != submitted || proposal.included < pace.minimumUpdates) {
            revert CountsInvalid(proposal.run, submitted, counted);
        }
    }

    /// @dev Returns what the proposal would grant.
    function _requireCredits(uint64 run, Place place, Pace memory pace, uint64 total)
        internal
        pure
        returns (uint256)
    {
        uint64 granted = place.granted();
        uint64 maximum = granted + pace.creditsPerRound;
        if (total < granted || total > maximum) revert CreditsOutOfBounds(run, total, maximum);
        return total - granted;
    }

    function _requireLeader(uint64 run) internal view {
        (, uint8 roles) = _REGISTRY.accountOf(msg.sender);
        if (!_isLeader(run, roles)) revert CallerNotMember(run, msg.sender);
    }

    /// @dev Sites are asked for first: theirs is nearly every call.
    function _requireMember(uint64 run) internal view {
        (uint32 site, uint8 roles) = _REGISTRY.accountOf(msg.sender);
        if (roles & Roles.SITE != 0 && _records[run].members[site].known()) {
            _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        } else if (!_isLeader(run, roles)) {
            revert CallerNotMember(run, msg.sender);
        }
    }

    function _requireRunning(uint64 run, Phase phase) internal pure {
        if (phase == Phase.None || phase == Phase.Completed || phase == Phase.Aborted) revert PhaseWrong(run, phase);
    }

    function _requirePhase(uint64 run, Place place, Phase needed) internal pure {
        Phase actual = place.phase();
        if (actual != needed) revert PhaseWrong(run, actual);
    }

    function _requirePlace(uint64 run, Place place, uint48 key) internal pure {
        if (place.proposalKey() != key) _revertPlace(run, place);
    }

    function _requireInTime(uint64 run, uint40 deadline) internal view {
        if (block.timestamp > deadline) revert DeadlinePassed(run, deadline);
    }

    function _keyOf(uint32 round, uint8 attempt, uint8 proposal) internal pure returns (uint48) {
        return uint48(round) << 16 | uint48(attempt) << 8 | proposal;
    }

    /// @dev The run's researcher or an operator; their standing and role are asked for now.
    function _isLeader(uint64 run, uint8 roles) private view returns (bool) {
        if (roles & Roles.OPERATOR != 0) {
            _REGISTRY.requireRole(msg.sender, Roles.OPERATOR);
            return true;
        }
        if (_RUNS.runOf(run).researcher != msg.sender || roles & Roles.RESEARCHER == 0) return false;
        _REGISTRY.requireRole(msg.sender, Roles.RESEARCHER);
        return true;
    }

    function _revertPlace(uint64 run, Place place) internal pure {
        revert PlaceWrong(run, place.round(), place.attempt(), place.proposal());
    }
}
