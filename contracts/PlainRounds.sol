// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roles} from "./Roles.sol";
import {IDataAccess} from "./interfaces/IDataAccess.sol";
import {IRounds} from "./interfaces/IRounds.sol";
import {IRuns} from "./interfaces/IRuns.sol";
import {ISiteRegistry} from "./interfaces/ISiteRegistry.sol";
import {Conclusions} from "./rounds/Conclusions.sol";
import {Place} from "./rounds/Place.sol";
import {Plans} from "./rounds/Plans.sol";
import {Progress} from "./rounds/Progress.sol";
import {RoundsStore} from "./rounds/RoundsStore.sol";
import {RunningLog} from "./rounds/RunningLog.sol";

/// @title Rounds in the plain: one stage of commitments, then a proposal and its attestations
/// @notice Leads runs from consent to finality.
/// @dev What a module built on this one does otherwise is in its hooks, which cost nothing here.
contract PlainRounds is Conclusions {
    uint8 private constant _ONLY_STAGE = 0;
    /// @dev Where `inclusion` begins in the data of its event: behind nine words.
    uint256 private constant _INCLUSION_OFFSET = 288;

    /// @notice Tie the module to the register, the data-access ledger and the catalogue of runs.
    constructor(ISiteRegistry registry, IDataAccess dataAccess, IRuns runs) RoundsStore(registry, dataAccess, runs) {}

    /// @inheritdoc IRounds
    function start(uint64 run, bytes calldata parameters) external {
        if (msg.sender != address(_RUNS)) revert CallerNotCatalogue(msg.sender);
        Record storage record = _records[run];
        if (record.place.phase() != Phase.None) revert PhaseWrong(run, record.place.phase());
        Parameters memory p = abi.decode(parameters, (Parameters));
        Plans.requireValid(p);
        record.pace = Pace(
            p.collectSeconds,
            p.revealSeconds,
            p.graceSeconds,
            p.proposeSeconds,
            p.attestSeconds,
            p.creditsPerRound,
            p.minimumUpdates,
            p.maxProposals,
            p.maxAttempts
        );
        record.bounds = Bounds(
            p.rounds,
            p.consentSeconds,
            p.quorumBasisPoints,
            p.minimumSites,
            p.targetSites,
            p.maximumSites,
            p.targetUpdates,
            p.stragglerPercent,
            p.maximumExamples
        );
        record.place = record.place.moved(Phase.Gathering, 0, uint40(block.timestamp) + p.consentSeconds);
        _started(run, parameters);
    }

    /// @inheritdoc IRounds
    function submit(
        uint64 run,
        uint32 site,
        uint32 round,
        uint8 attempt,
        uint8 stage,
        bytes32 commitment,
        uint64 weight,
        bytes32 locator
    ) external {
        if (commitment == 0 || locator == 0) revert CommitmentZero();
        if (stage != _ONLY_STAGE) revert StageUnknown(run, stage);
        (Place place, Progress progress) = _admitUpdate(run, site, uint40(round) << 8 | attempt, weight);
        bytes memory entry = abi.encode(
            progress.head(), UpdateSubmitted.selector, run, round, site, attempt, stage, commitment, weight, locator
        );
        progress = _counted(run, site, place, progress.extended(RunningLog.log4(entry)));
        _records[run].progress = _closedIfComplete(_records[run], place, progress);
    }

    /// @inheritdoc IRounds
    function propose(Proposal calldata proposal) external {
        (uint64 run, uint32 site) = (proposal.run, proposal.site);
        _REGISTRY.requireNode(site, msg.sender, Roles.AGGREGATOR);
        if (proposal.record == 0 || proposal.recordLocator == 0) revert CommitmentZero();
        if (proposal.state == 0 || proposal.creditsRoot == 0) revert CommitmentZero();
        Record storage record = _records[run];
        (Place place, Progress progress) = _settled(run, record);
        _requirePhase(run, place, Phase.Proposing);
        _requirePlace(run, place, _keyOf(proposal.round, proposal.attempt, proposal.number));
        _requireInTime(run, place.deadline());
        Pace memory pace = record.pace;
        _requireTurn(run, site, place, pace, proposal.unavailable == 0);
        _requireCounts(proposal, progress.submitted(), pace);
        uint64 total = proposal.creditsTotal;
        uint256 credits = _requireCredits(run, place, pace, total);
        record.settlements[place.round()] =
            keccak256(abi.encode(proposal.record, proposal.state, proposal.creditsRoot, total));
        uint40 deadline = uint40(block.timestamp) + pace.attestSeconds;
        place = place.moved(Phase.Attesting, place.proposal(), deadline).withProposed(credits);
        record.place = place;
        record.progress = _logProposal(place, progress, proposal);
        _proposed(proposal);
    }

    /// @inheritdoc IRounds
    function attest(uint64 run, uint32 site, uint32 round, uint8 attempt, uint8 proposal, bytes32 witness) external {
        if (witness == 0) revert CommitmentZero();
        (Place place, Progress progress, bool current) = _admitVote(run, site, _keyOf(round, attempt, proposal));
        progress = progress.extended(
            RunningLog.log4(
                abi.encode(
                    progress.head(), RoundAttested.selector, run, round, site, attempt, proposal, witness
                )
            )
        );
        if (current) {
            progress = progress.plusAttested();
            if (progress.attested() == place.quorum()) progress = _logFinality(run, place, progress);
        }
        _records[run].progress = progress;
    }

    /// @inheritdoc IRounds
    function objectTo(uint64 run, uint32 site, uint32 round, uint8 attempt, uint8 proposal, bytes32 expected)
        external
    {
        if (expected == 0) revert CommitmentZero();
        (Place place, Progress progress, bool current) = _admitVote(run, site, _keyOf(round, attempt, proposal));
        Record storage record = _records[run];
        progress = progress.extended(
            RunningLog.log4(
                abi.encode(
                    progress.head(), RoundObjected.selector, run, round, site, attempt, proposal, expected
                )
            )
        );
        if (current) progress = progress.plusObjected();
        record.progress = progress;
        // Nothing leads back from a quorum of attestations.
        if (!current || progress.attested() >= place.quorum()) return;
        bool possible = _votersOf(run, place.cohort()) >= uint256(progress.objected()) + place.quorum();
        if (!possible) record.place = _endProposal(run, record, place);
    }

    /// @inheritdoc IRounds
    function advance(uint64 run) public {
        Record storage record = _records[run];
        Place place = _settle(run, record);
        Phase phase = place.phase();
        _requireRunning(run, phase);
        uint40 deadline = _deadlineOf(place, record.progress);
        if (phase != Phase.Final && block.timestamp <= deadline) revert DeadlineAhead(run, deadline);
        _requireMember(run);

        if (phase == Phase.Gathering) {
            bool enough = record.tally.consenting >= record.bounds.minimumSites;
            place = enough
                ? _beginAttempt(run, record, place, _FIRST, _FIRST, 0)
                : _abort(run, record, place, address(0));
        } else if (phase == Phase.Collecting) {
            bool enough = record.progress.submitted() >= record.pace.minimumUpdates;
            place = enough ? _closeSubmissions(run, record, place) : _endAttempt(run, record, place);
        } else if (phase == Phase.Proposing) {
            place = _endAttempt(run, record, place);
        } else if (phase == Phase.Attesting) {
            place = _endProposal(run, record, place);
        } else {
            place = _beginNext(run, record, place);
        }
        record.place = place;
    }

    /// @inheritdoc IRounds
    function abort(uint64 run) external {
        Record storage record = _records[run];
        Place place = _settle(run, record);
        _requireRunning(run, place.phase());
        _requireLeader(run);
        record.place = _abort(run, record, place, msg.sender);
    }

    function _started(uint64 run, bytes calldata parameters) internal virtual {}

    function _proposed(Proposal calldata proposal) internal virtual {}

    /// @dev Counts a site's own submission.
    function _counted(uint64, uint32, Place, Progress progress) internal virtual returns (Progress) {
        return progress.plusSubmitted();
    }

    function _logFinality(uint64 run, Place place, Progress progress) internal returns (Progress) {
        return progress.extended(
            RunningLog.log3(
                abi.encode(
                    progress.head(), RoundFinalized.selector, run, place.round(), place.attempt(), place.proposal()
                )
            )
        );
    }

    /// @dev Sets word by word what abi.encode would lay out, which would copy `inclusion` first.
    function _logProposal(Place place, Progress progress, Proposal calldata proposal) private returns (Progress) {
        bytes32[15] memory words;
        words[0] = progress.head();
        words[1] = RoundProposed.selector;
        words[2] = bytes32(uint256(proposal.run));
        words[3] = bytes32(uint256(place.round()));
        words[4] = bytes32(uint256(proposal.site));
        words[5] = bytes32(uint256(place.attempt()));
        words[6] = bytes32(uint256(place.proposal()));
        words[7] = bytes32(uint256(proposal.creditsTotal));
        words[8] = proposal.record;
        words[9] = proposal.recordLocator;
        words[10] = proposal.state;
        words[11] = proposal.creditsRoot;
        words[12] = bytes32(uint256(place.deadline()));
        words[13] = bytes32(_INCLUSION_OFFSET);
        bytes calldata inclusion = proposal.inclusion;
        words[14] = bytes32(inclusion.length);
        return progress.extended(RunningLog.log4(words, inclusion));
    }
}
