// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Place} from "./Place.sol";
import {Progress} from "./Progress.sol";
import {RoundsStore} from "./RoundsStore.sol";
import {RunningLog} from "./RunningLog.sol";

/// @title Moves of a run from phase to phase
/// @notice Says what follows on what; who may cause it is decided elsewhere.
/// @dev Every function logs the move and stores the progress, and returns the new place, which the
/// caller stores once.
abstract contract Transitions is RoundsStore {
    uint256 private constant _BASIS_POINTS = 10_000;
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
        uint256 above = uint256(cohort) * record.bounds.quorumBasisPoints / _BASIS_POINTS + 1;
        uint16 quorum = above < cohort ? uint16(above) : cohort;
        if (quorum < quorumBefore) quorum = quorumBefore;
        place = place.begun(round, attempt, uint40(block.timestamp) + record.pace.collectSeconds);
        place = place.withCohort(cohort, record.tally.rosterCount, quorum);
        _logAttempt(run, record, place);
        return place;
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

    function _closeSubmissions(uint64 run, Record storage record, Place place) internal returns (Place) {
        Pace storage pace = record.pace;
        uint40 deadline = uint40(block.timestamp) + pace.revealSeconds + pace.proposeSeconds;
        Progress progress = record.progress;
        record.progress = progress.extended(
            RunningLog.log3(
                abi.encode(
                    progress.head(),
                    SubmissionsClosed.selector,
                    run,
                    place.round(),
                    place.attempt(),
                    progress.submitted(),
                    deadline
                )
            )
        );
        return place.moved(Phase.Proposing, 1, deadline);
    }

    /// @dev Closes as soon as nobody is waited for, unless too few submitted: then the deadline stands.
    function _closeIfComplete(uint64 run, Record storage record, Place place, uint16 submitted)
        internal
        returns (Place)
    {
        if (submitted != place.expected() || submitted < record.pace.minimumUpdates) return place;
        return _closeSubmissions(run, record, place);
    }

    function _finalize(uint64 run, Record storage record, Place place) internal returns (Place) {
        uint32 round = place.round();
        record.tally.lastKey = place.proposalKey();
        record.tally.lastRosterLength = place.rosterLength();
        _note3(
            record,
            abi.encode(
                record.progress.head(),
                RoundFinalized.selector,
                run,
                round,
                place.attempt(),
                place.proposal(),
                record.settlements[round]
            )
        );
        place = place.withGrant();
        if (round < record.bounds.rounds) return _beginAttempt(run, record, place, round + 1, 1, 0);
        _note2(record, abi.encode(record.progress.head(), RunCompleted.selector, run, round));
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
