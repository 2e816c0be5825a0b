// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Place} from "./Place.sol";
import {Progress} from "./Progress.sol";
import {RoundsStore} from "./RoundsStore.sol";
import {RunningLog} from "./RunningLog.sol";

/// @title Moves of a run from phase to phase
/// @notice Says what follows on what; who may cause it is decided elsewhere.
/// @dev Every function that moves logs the move and stores the progress, and returns the new place,
/// which the caller stores once.
abstract contract Transitions is RoundsStore {
    uint256 private constant _BASIS_POINTS = 10_000;
    uint256 private constant _PERCENT = 100;
    address private constant _NOBODY = address(0);
    uint40 private constant _NO_DEADLINE = 0;

    /// @dev Freezes everybody who consents now as the cohort. Within a round the quorum never falls.
    function _beginAttempt(
        uint64 run,
        Record storage record,
        Place place,
        uint32 round,
        uint8 attempt,
        uint16 quorumBefore
    ) internal returns (Place) {
        uint16 cohort = record.tally.consenting;
        uint16 quorum = _quorumOf(record, _votersOf(run, cohort));
        if (quorum < quorumBefore) quorum = quorumBefore;
        place = place.begun(round, attempt, uint40(block.timestamp) + record.pace.collectSeconds);
        place = place.withCohort(cohort, record.tally.rosterCount, quorum);
        place = _awaiting(run, record, place, cohort);
        _logAttempt(run, record, place);
        return place;
    }

    /// @dev Gives the least number above the plan's share, or all.
    function _quorumOf(Record storage record, uint16 voters) internal view returns (uint16) {
        uint256 above = uint256(voters) * record.bounds.quorumBasisPoints / _BASIS_POINTS + 1;
        return above < voters ? uint16(above) : voters;
    }

    /// @dev Gives how many of a cohort vote on a proposal before it is final.
    function _votersOf(uint64, uint16 cohort) internal view virtual returns (uint16) {
        return cohort;
    }

    /// @dev Waits for so many submissions, or for fewer if the plan aims at fewer and waits for no stragglers.
    function _awaiting(uint64, Record storage record, Place place, uint16 count) internal virtual returns (Place) {
        uint16 target = record.bounds.targetUpdates;
        uint16 minimum = record.pace.minimumUpdates;
        if (record.bounds.stragglerPercent != 0) return place.withAwaited(count, minimum, count).withEnough(target);
        return place.withAwaited(count, minimum, target == 0 ? count : target);
    }

    function _logAttempt(uint64 run, Record storage record, Place place) private {
        Progress progress = record.progress.withoutCounts();
        record.progress = progress.extended(
            RunningLog.log3(
                abi.encode(
                    progress.head(),
                    AttemptStarted.selector,
                    run,
                    place.round(),
                    place.attempt(),
                    place.cohort(),
                    place.rosterLength(),
                    place.quorum(),
                    place.deadline()
                )
            )
        );
    }

    /// @dev Gives the place as it is now, for an act that stores it, and logs the closing of submissions
    /// if so far it only followed from the counts. The caller stores the progress, too.
    function _settled(uint64 run, Record storage record) internal returns (Place place, Progress progress) {
        Place stored = record.place;
        progress = record.progress;
        place = _effective(record, stored, progress);
        if (stored.phase() == Phase.Collecting && place.phase() == Phase.Proposing) {
            progress = _logClosing(run, place, progress);
        }
    }

    /// @dev Stores what is settled, but for the place, for an act that ends the phase.
    function _settle(uint64 run, Record storage record) internal returns (Place place) {
        (place, record.progress) = _settled(run, record);
        if (place.phase() == Phase.Final) {
            record.tally.lastKey = place.proposalKey();
            record.tally.lastRosterLength = place.rosterLength();
        }
    }

    /// @dev The stage closes as soon as nobody is waited for, or as many came as the plan aims at. A plan that
    /// waits for stragglers does so from then on, for a share of the time that these took.
    function _closedIfComplete(Record storage record, Place place, Progress progress)
        internal
        view
        returns (Progress)
    {
        (uint16 submitted, uint16 expected, uint16 enough) = (progress.submitted(), place.expected(), place.enough());
        uint256 left = place.deadline() - block.timestamp;
        if (expected != 0 && submitted >= expected) return progress.withClosing(uint32(left));
        if (enough == 0 || submitted < enough || progress.isWaiting()) return progress;
        uint256 wait = (record.pace.collectSeconds - left) * record.bounds.stragglerPercent / _PERCENT;
        return wait < left ? progress.withWaiting(uint32(left - wait)) : progress;
    }

    /// @dev The deadline has passed, so the stage closes without those who are still awaited.
    function _closeSubmissions(uint64 run, Record storage record, Place place) internal returns (Place) {
        Pace storage pace = record.pace;
        uint40 deadline = uint40(block.timestamp) + pace.revealSeconds + pace.proposeSeconds;
        place = place.moved(Phase.Proposing, _FIRST, deadline);
        record.progress = _logClosing(run, place, record.progress);
        return place;
    }

    function _logClosing(uint64 run, Place place, Progress progress) private returns (Progress) {
        progress = progress.withoutVotes();
        return progress.extended(
            RunningLog.log3(
                abi.encode(
                    progress.head(),
                    SubmissionsClosed.selector,
                    run,
                    place.round(),
                    place.attempt(),
                    progress.submitted(),
                    place.deadline()
                )
            )
        );
    }

    /// @dev The round is final: the next one begins, or the run is complete.
    function _beginNext(uint64 run, Record storage record, Place place) internal returns (Place) {
        uint32 round = place.round();
        if (round < record.bounds.rounds) return _beginAttempt(run, record, place, round + 1, _FIRST, 0);
        return _complete(run, record, place);
    }

    function _complete(uint64 run, Record storage record, Place place) internal returns (Place) {
        _note2(record, abi.encode(record.progress.head(), RunCompleted.selector, run, place.round()));
        return place.moved(Phase.Completed, place.proposal(), uint40(block.timestamp));
    }

    function _endProposal(uint64 run, Record storage record, Place place) internal returns (Place) {
        uint8 proposal = place.proposal();
        bool another = proposal < record.pace.maxProposals;
        uint40 deadline = another ? uint40(block.timestamp) + record.pace.proposeSeconds : _NO_DEADLINE;
        _note3(
            record,
            abi.encode(
                record.progress.head(),
                ProposalEnded.selector,
                run,
                place.round(),
                place.attempt(),
                proposal,
                deadline
            )
        );
        if (!another) return _endAttempt(run, record, place);
        record.progress = record.progress.withoutVotes();
        return place.moved(Phase.Proposing, proposal + 1, deadline);
    }

    function _endAttempt(uint64 run, Record storage record, Place place) internal returns (Place) {
        if (place.attempt() == record.pace.maxAttempts) return _abort(run, record, place, _NOBODY);
        return _beginAttempt(run, record, place, place.round(), place.attempt() + 1, place.quorum());
    }

    function _abort(uint64 run, Record storage record, Place place, address account) internal returns (Place) {
        // What says how long stragglers are waited for would read as votes.
        if (place.phase() == Phase.Collecting) record.progress = record.progress.withoutVotes();
        _note2(record, abi.encode(record.progress.head(), RunAborted.selector, run, place.round(), account));
        return place.moved(Phase.Aborted, place.proposal(), uint40(block.timestamp));
    }

    function _note2(Record storage record, bytes memory entry) internal {
        record.progress = record.progress.extended(RunningLog.log2(entry));
    }

    function _note3(Record storage record, bytes memory entry) internal {
        record.progress = record.progress.extended(RunningLog.log3(entry));
    }

    function _note4(Record storage record, bytes memory entry) internal {
        record.progress = record.progress.extended(RunningLog.log4(entry));
    }
}
