// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PlainRounds} from "./PlainRounds.sol";
import {IDataAccess} from "./interfaces/IDataAccess.sol";
import {IMasking} from "./interfaces/IMasking.sol";
import {IMaskingTypes} from "./interfaces/IMaskingTypes.sol";
import {IRuns} from "./interfaces/IRuns.sol";
import {ISiteRegistry} from "./interfaces/ISiteRegistry.sol";
import {Place} from "./rounds/Place.sol";
import {Progress} from "./rounds/Progress.sol";

/// @title Masked rounds: as the plain ones, but everybody sees the sum and nobody an update
/// @notice Only sites that went through the stages of the ledger of masked rounds submit, and a proposal
/// unmasks the set that members froze there.
/// @dev Parameters: abi.encode(Parameters, MaskingTimes).
contract MaskedRounds is PlainRounds {
    IMasking private immutable _MASKING;

    /// @notice Tie the module to the register, the data-access ledger, the catalogue of runs and the ledger
    /// of masked rounds.
    constructor(ISiteRegistry registry, IDataAccess dataAccess, IRuns runs, IMasking masking)
        PlainRounds(registry, dataAccess, runs)
    {
        _MASKING = masking;
    }

    /// @dev The stages have to fit into the phases. Nobody waits for stragglers: who comes late has vanished.
    function _started(uint64 run, bytes calldata parameters) internal override {
        (Parameters memory p, IMaskingTypes.MaskingTimes memory times) =
            abi.decode(parameters, (Parameters, IMaskingTypes.MaskingTimes));
        uint256 before = uint256(times.keySeconds) + times.shareSeconds + times.holdingSeconds;
        if (before >= p.collectSeconds) revert ParameterInvalid("collectSeconds", p.collectSeconds);
        if (times.freezeSeconds >= p.proposeSeconds) revert ParameterInvalid("proposeSeconds", p.proposeSeconds);
        if (p.stragglerPercent != 0) revert ParameterInvalid("stragglerPercent", p.stragglerPercent);
        _MASKING.start(run, times);
    }

    /// @dev The stage closes when all have submitted that may, unless they are too few to go on with.
    function _counted(uint64 run, uint32 site, Place place, Progress progress)
        internal
        override
        returns (Progress)
    {
        uint16 held = _MASKING.requireHolding(run, site, place.attemptKey());
        progress = super._counted(run, site, place, progress);
        bool isComplete = progress.submitted() == held && held >= _records[run].pace.minimumUpdates;
        return isComplete ? progress.withClosing(uint32(place.deadline() - block.timestamp)) : progress;
    }

    function _proposed(Proposal calldata proposal) internal view override {
        uint40 attemptKey = uint40(proposal.round) << 8 | proposal.attempt;
        _MASKING.requireFrozen(proposal.run, attemptKey, keccak256(proposal.inclusion));
    }
}
