// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roles} from "./Roles.sol";
import {IDataAccess} from "./interfaces/IDataAccess.sol";
import {IMasking} from "./interfaces/IMasking.sol";
import {IRounds} from "./interfaces/IRounds.sol";
import {IRoundsTypes} from "./interfaces/IRoundsTypes.sol";
import {IRuns} from "./interfaces/IRuns.sol";
import {ISiteRegistry} from "./interfaces/ISiteRegistry.sol";
import {MaskingStages} from "./masking/MaskingStages.sol";

/// @title Ledger of masked rounds
/// @notice Takes what sites record around their masked updates, so that all see the same and nobody can be
/// shown another set than the others; holds no secret and no share.
contract Masking is MaskingStages {
    /// @dev In every pair of bits of inclusion bytes, the lower one.
    uint256 private constant _LOWER_BITS = type(uint256).max / 3;
    uint256 private constant _SITES_IN_BYTE = 8;
    uint256 private constant _VERDICTS_IN_BYTE = 4;
    /// @dev Words of an entry before the offset of its bytes: head, selector, three topics, attempt, number.
    uint256 private constant _HOLDING_WORD = 6;
    uint256 private constant _INCLUSION_WORD = 7;

    /// @notice Tie the ledger to the register and to the catalogue of runs.
    constructor(ISiteRegistry registry, IRuns runs) MaskingStages(registry, runs) {}

    /// @inheritdoc IMasking
    function start(uint64 run, MaskingTimes calldata times) external {
        if (msg.sender != _RUNS.moduleOf(run)) revert IDataAccess.CallerNotModule(msg.sender, run);
        if (times.keySeconds == 0) revert ParameterInvalid("keySeconds", 0);
        if (times.shareSeconds == 0) revert ParameterInvalid("shareSeconds", 0);
        if (times.holdingSeconds == 0) revert ParameterInvalid("holdingSeconds", 0);
        if (times.freezeSeconds == 0) revert ParameterInvalid("freezeSeconds", 0);
        _times[run] = times;
    }

    /// @inheritdoc IMasking
    function advertise(
        uint64 run,
        uint32 site,
        uint32 round,
        uint8 attempt,
        bytes32 maskKey,
        bytes32 channelKey
    ) external {
        if (maskKey == 0 || channelKey == 0) revert ISiteRegistry.DigestZero();
        uint40 key = _keyOf(round, attempt);
        (, Attempt memory current) = _admit(run, site, key, Stage.Keys);
        if (_acts[run][site].advertised == key) revert AlreadyRecorded(run, site);
        _acts[run][site].advertised = key;
        ++current.advertised;
        _attempts[run] = current;
        _note4(abi.encode(_head(), KeysAdvertised.selector, run, round, site, attempt, maskKey, channelKey));
    }

    /// @inheritdoc IMasking
    function closeKeys(uint64 run) external {
        _requireMember(run);
        IRoundsTypes.State memory standing = _requirePhase(run, Phase.Collecting, Phase.Collecting);
        Attempt memory current = _attemptAt(run, standing);
        if (current.stage != Stage.Keys) revert StageWrong(run, current.stage);
        bool isOver = block.timestamp > current.deadline || current.advertised == standing.cohort;
        if (!isOver) revert DeadlineAhead(run, current.deadline);
        (current.stage, current.seedBlock) = (Stage.Shares, uint64(block.number));
        current.deadline = uint40(block.timestamp) + _times[run].shareSeconds;
        _attempts[run] = current;
        _note3(abi.encode(_head(), KeysClosed.selector, run, standing.round, standing.attempt, current.advertised));
    }

    /// @inheritdoc IMasking
    function deal(
        uint64 run,
        uint32 site,
        uint32 round,
        uint8 attempt,
        bytes32 commitment,
        bytes32 locator
    ) external {
        if (commitment == 0 || locator == 0) revert CommitmentZero();
        uint40 key = _keyOf(round, attempt);
        (, Attempt memory current) = _admit(run, site, key, Stage.Shares);
        Acts memory acts = _acts[run][site];
        if (acts.advertised != key) revert KeysMissing(run, site);
        if (acts.dealt == key) revert AlreadyRecorded(run, site);
        _acts[run][site].dealt = key;
        if (++current.dealt == current.advertised) {
            current.stage = Stage.Holdings;
            current.deadline = uint40(block.timestamp) + _times[run].holdingSeconds;
        }
        _attempts[run] = current;
        _note4(abi.encode(_head(), SharesDealt.selector, run, round, site, attempt, commitment, locator));
    }

    /// @inheritdoc IMasking
    function hold(uint64 run, uint32 site, uint32 round, uint8 attempt, bytes calldata holding) external {
        uint40 key = _keyOf(round, attempt);
        (IRoundsTypes.State memory standing, Attempt memory current) = _admit(run, site, key, Stage.Holdings);
        _requireLength(run, holding.length, standing.rosterLength, _SITES_IN_BYTE);
        Acts memory acts = _acts[run][site];
        if (acts.dealt != key) revert DealingMissing(run, site);
        if (acts.held == key) revert AlreadyRecorded(run, site);
        _acts[run][site].held = key;
        if (++current.held == current.dealt) current.stage = Stage.Masked;
        _attempts[run] = current;
        _note4(abi.encode(_head(), SharesHeld.selector, run, round, site, attempt, holding), _HOLDING_WORD);
    }

    /// @inheritdoc IMasking
    function proposeSet(uint64 run, uint32 site, uint32 round, uint8 attempt, bytes calldata inclusion) external {
        _REGISTRY.requireNode(site, msg.sender, Roles.AGGREGATOR);
        IRoundsTypes.State memory standing = _requirePhase(run, Phase.Proposing, Phase.Proposing);
        _requirePlace(run, standing, _keyOf(round, attempt));
        Attempt memory current = _attemptAt(run, standing);
        if (current.stage != Stage.Freezing) revert StageWrong(run, current.stage);
        if (_isPending(current)) revert SetPending(run, current.number, current.deadline);
        _requireLength(run, inclusion.length, standing.rosterLength, _VERDICTS_IN_BYTE);
        uint8 number = current.number + 1;
        _requireTurn(run, site, standing, current, inclusion);
        (current.number, current.affirmed) = (number, 0);
        current.deadline = uint40(block.timestamp) + _times[run].freezeSeconds;
        _attempts[run] = current;
        _inclusions[run] = keccak256(inclusion);
        _note4(
            abi.encode(_head(), SetProposed.selector, run, round, site, attempt, number, inclusion), _INCLUSION_WORD
        );
    }

    /// @inheritdoc IMasking
    function affirmSet(uint64 run, uint32 site, uint32 round, uint8 attempt, uint8 number) external {
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        IRoundsTypes.State memory standing = _requirePhase(run, Phase.Proposing, Phase.Proposing);
        uint40 key = _keyOf(round, attempt);
        _requirePlace(run, standing, key);
        Attempt memory current = _attemptAt(run, standing);
        if (current.stage != Stage.Freezing) revert StageWrong(run, current.stage);
        if (number == 0 || number != current.number) revert SetNotAtHand(run, current.number);
        if (!_isPending(current)) revert DeadlinePassed(run, current.deadline);
        _requireTookPart(run, site, standing);
        uint48 setKey = uint48(key) << 8 | number;
        if (_acts[run][site].affirmed == setKey) revert AlreadyRecorded(run, site);
        _acts[run][site].affirmed = setKey;
        bool isFrozen = ++current.affirmed == standing.quorum;
        if (isFrozen) current.stage = Stage.Unmasking;
        _attempts[run] = current;
        _note4(abi.encode(_head(), SetAffirmed.selector, run, round, site, attempt, number));
        if (isFrozen) _note3(abi.encode(_head(), SetFrozen.selector, run, round, attempt, number));
    }

    /// @inheritdoc IMasking
    function disclose(
        uint64 run,
        uint32 site,
        uint32 round,
        uint8 attempt,
        bytes32 commitment,
        bytes32 locator
    ) external {
        if (commitment == 0 || locator == 0) revert CommitmentZero();
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        IRoundsTypes.State memory standing = _requirePhase(run, Phase.Proposing, Phase.Attesting);
        uint40 key = _keyOf(round, attempt);
        _requirePlace(run, standing, key);
        Attempt memory current = _attemptAt(run, standing);
        if (current.stage != Stage.Unmasking) revert StageWrong(run, current.stage);
        Acts memory acts = _acts[run][site];
        if (acts.held != key) revert HoldingMissing(run, site);
        if (acts.disclosed == key) revert AlreadyRecorded(run, site);
        _acts[run][site].disclosed = key;
        _note4(abi.encode(_head(), SharesDisclosed.selector, run, round, site, attempt, commitment, locator));
    }

    /// @dev As for proposals: until the reveal and a grace period are over, the set is one site's of the roster
    /// to propose, and nobody may call bytes unavailable before the reveal is over. For a later set of an
    /// attempt the grace period begins when members may no longer affirm the one before.
    function _requireTurn(
        uint64 run,
        uint32 site,
        IRoundsTypes.State memory standing,
        Attempt memory current,
        bytes calldata inclusion
    ) private view {
        uint16 position = _requireTookPart(run, site, standing);
        IRoundsTypes.Parameters memory p = IRounds(_RUNS.moduleOf(run)).parametersOf(run);
        uint40 revealEnd = standing.deadline - p.proposeSeconds;
        if (block.timestamp < revealEnd && _callsUnavailable(inclusion)) revert RevealUnfinished(run, revealEnd);
        uint40 begun = current.number == 0 ? revealEnd : current.deadline;
        uint256 turn = (uint256(standing.round) + standing.attempt + current.number + 1) % standing.rosterLength;
        if (position != turn && block.timestamp < begun + p.graceSeconds) {
            revert TurnOfAnother(run, site, uint16(turn));
        }
    }

    /// @dev Whether a position has both of its bits.
    function _callsUnavailable(bytes calldata inclusion) private pure returns (bool) {
        for (uint256 i = 0; i < inclusion.length; i += 32) {
            uint256 word = uint256(bytes32(inclusion[i:]));
            if (word & (word >> 1) & _LOWER_BITS != 0) return true;
        }
        return false;
    }

    function _requireLength(uint64 run, uint256 length, uint16 rosterLength, uint256 sitesInByte) private pure {
        uint256 maximum = (rosterLength + sitesInByte - 1) / sitesInByte;
        if (length > maximum) revert BytesTooLong(run, length, maximum);
    }
}
