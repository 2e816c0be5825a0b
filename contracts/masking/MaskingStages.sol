// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roles} from "../Roles.sol";
import {IMasking} from "../interfaces/IMasking.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {IRoundsTypes} from "../interfaces/IRoundsTypes.sol";
import {IRuns} from "../interfaces/IRuns.sol";
import {ISiteRegistry} from "../interfaces/ISiteRegistry.sol";
import {RecordLog} from "../records/RecordLog.sol";

/// @title Stages of masked attempts, and whose act each is
/// @notice Keeps where an attempt stands within the phases of its rounds module, which it asks.
abstract contract MaskingStages is RecordLog, IMasking {
    /// @dev The attempt at hand of a run, in one slot; `key` is (round, attempt). The deadline is the stage's
    /// own and, once a set was proposed, that of its affirmations.
    struct Attempt {
        uint40 key;
        Stage stage;
        uint40 deadline;
        uint16 advertised;
        uint16 dealt;
        uint16 held;
        uint16 affirmed;
        uint8 number;
        uint64 seedBlock;
    }

    /// @dev What a site did last, by (round, attempt) or (round, attempt, number), in one slot.
    struct Acts {
        uint40 advertised;
        uint40 dealt;
        uint40 held;
        uint48 affirmed;
        uint40 disclosed;
    }

    ISiteRegistry internal immutable _REGISTRY;
    IRuns internal immutable _RUNS;

    mapping(uint64 run => MaskingTimes) internal _times;
    mapping(uint64 run => Attempt) internal _attempts;
    /// @dev Hash of the inclusion bytes of the set that was proposed last.
    mapping(uint64 run => bytes32) internal _inclusions;
    mapping(uint64 run => mapping(uint32 site => Acts)) internal _acts;

    /// @notice Tie the ledger to the register and to the catalogue of runs.
    constructor(ISiteRegistry registry, IRuns runs) {
        _REGISTRY = registry;
        _RUNS = runs;
    }

    /// @inheritdoc IMasking
    function timesOf(uint64 run) external view returns (MaskingTimes memory) {
        return _times[run];
    }

    /// @inheritdoc IMasking
    function stateOf(uint64 run) external view returns (MaskingState memory state) {
        IRoundsTypes.State memory standing = IRounds(_RUNS.moduleOf(run)).stateOf(run);
        Phase phase = standing.phase;
        bool isOpen = phase == Phase.Collecting || phase == Phase.Proposing || phase == Phase.Attesting;
        if (!isOpen || _times[run].keySeconds == 0) return state;
        Attempt memory attempt = _attemptAt(run, standing);
        bool hasOwn = attempt.stage < Stage.Masked || (attempt.stage == Stage.Freezing && _isPending(attempt));
        state.round = standing.round;
        state.attempt = standing.attempt;
        state.stage = attempt.stage;
        state.deadline = hasOwn ? attempt.deadline : standing.deadline;
        state.advertised = attempt.advertised;
        state.dealt = attempt.dealt;
        state.held = attempt.held;
        state.affirmed = attempt.affirmed;
        state.number = attempt.number;
        if (attempt.stage == Stage.Unmasking) state.frozen = _inclusions[run];
        state.seedBlock = attempt.seedBlock;
    }

    /// @inheritdoc IMasking
    function requireHolding(uint64 run, uint32 site, uint40 attemptKey) external view returns (uint16 held) {
        Attempt memory attempt = _attempts[run];
        if (attempt.key != attemptKey) revert StageWrong(run, Stage.Keys);
        _moveOn(run, attempt);
        if (attempt.stage != Stage.Masked) revert StageWrong(run, attempt.stage);
        if (_acts[run][site].held != attemptKey) revert HoldingMissing(run, site);
        return attempt.held;
    }

    /// @inheritdoc IMasking
    function requireFrozen(uint64 run, uint40 attemptKey, bytes32 inclusion) external view {
        Attempt memory attempt = _attempts[run];
        bool isFrozen = attempt.key == attemptKey && attempt.stage == Stage.Unmasking;
        bytes32 frozen = isFrozen ? _inclusions[run] : bytes32(0);
        if (!isFrozen || frozen != inclusion) revert InclusionNotFrozen(run, frozen);
    }

    /// @dev Admits an act of a member of the cohort while submissions are collected. Gives the attempt as it is.
    function _admit(uint64 run, uint32 site, uint40 key, Stage needed)
        internal
        view
        returns (IRoundsTypes.State memory standing, Attempt memory attempt)
    {
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        standing = _requirePhase(run, Phase.Collecting, Phase.Collecting);
        _requirePlace(run, standing, key);
        attempt = _attemptAt(run, standing);
        if (attempt.stage != needed) revert StageWrong(run, attempt.stage);
        // Only an act closes the keys, so their time can be over.
        if (block.timestamp > attempt.deadline) revert DeadlinePassed(run, attempt.deadline);
        IRoundsTypes.Member memory member = IRounds(_RUNS.moduleOf(run)).memberOf(run, site);
        if (!member.consenting) revert ConsentMissing(run, site);
        if (member.position >= standing.rosterLength) revert SiteNotInCohort(run, site);
    }

    /// @dev Gives where the run stands, if that is one of two phases and its time is not over.
    function _requirePhase(uint64 run, Phase needed, Phase orElse)
        internal
        view
        returns (IRoundsTypes.State memory standing)
    {
        standing = IRounds(_RUNS.moduleOf(run)).stateOf(run);
        if (_times[run].keySeconds == 0) revert StageWrong(run, Stage.None);
        if (standing.phase != needed && standing.phase != orElse) revert PhaseWrong(run, standing.phase);
        if (block.timestamp > standing.deadline) revert DeadlinePassed(run, standing.deadline);
    }

    function _requirePlace(uint64 run, IRoundsTypes.State memory standing, uint40 key) internal pure {
        if (_keyOf(standing.round, standing.attempt) != key) {
            revert PlaceWrong(run, standing.round, standing.attempt, standing.proposal);
        }
    }

    /// @dev Gives the attempt at hand as it is now; one in which nobody acted yet begins with the keys.
    function _attemptAt(uint64 run, IRoundsTypes.State memory standing)
        internal
        view
        returns (Attempt memory attempt)
    {
        attempt = _attempts[run];
        uint40 key = _keyOf(standing.round, standing.attempt);
        if (attempt.key != key) {
            Attempt memory fresh;
            attempt = fresh;
            (attempt.key, attempt.stage) = (key, Stage.Keys);
            attempt.deadline = standing.since + _times[run].keySeconds;
        }
        _moveOn(run, attempt);
        if (standing.phase != Phase.Collecting && attempt.stage < Stage.Freezing) attempt.stage = Stage.Freezing;
    }

    function _isPending(Attempt memory attempt) internal view returns (bool) {
        return attempt.number != 0 && block.timestamp <= attempt.deadline;
    }

    /// @dev Refuses a site that took no part in the attempt, as the rounds module does for votes.
    function _requireTookPart(uint64 run, uint32 site, IRoundsTypes.State memory standing)
        internal
        view
        returns (uint16 position)
    {
        IRoundsTypes.Member memory member = IRounds(_RUNS.moduleOf(run)).memberOf(run, site);
        bool submitted = member.submittedRound == standing.round && member.submittedAttempt == standing.attempt;
        bool isKnown = member.grant != 0 && member.position < standing.rosterLength;
        bool tookPart = isKnown && (member.consenting || submitted);
        if (!tookPart) revert SiteNotInCohort(run, site);
        return member.position;
    }

    function _requireMember(uint64 run) internal view {
        (uint32 site,) = _REGISTRY.accountOf(msg.sender);
        if (IRounds(_RUNS.moduleOf(run)).memberOf(run, site).grant == 0) revert CallerNotMember(run, msg.sender);
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
    }

    function _keyOf(uint32 round, uint8 attempt) internal pure returns (uint40) {
        return uint40(round) << 8 | attempt;
    }

    /// @dev Closes the stages whose time is over; each begins when the one before it ends.
    function _moveOn(uint64 run, Attempt memory attempt) private view {
        if (attempt.stage == Stage.Shares && block.timestamp > attempt.deadline) {
            attempt.stage = Stage.Holdings;
            attempt.deadline += _times[run].holdingSeconds;
        }
        if (attempt.stage == Stage.Holdings && block.timestamp > attempt.deadline) attempt.stage = Stage.Masked;
    }
}
