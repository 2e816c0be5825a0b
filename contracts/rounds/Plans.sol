// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsErrors} from "../interfaces/IRoundsErrors.sol";
import {IRoundsTypes} from "../interfaces/IRoundsTypes.sol";

/// @title Bounds of a run's parameters
/// @notice Refuses parameters under which a run could stall or never become final.
library Plans {
    uint256 private constant _HALF_BASIS_POINTS = 5_000;
    uint256 private constant _WHOLE_BASIS_POINTS = 10_000;
    uint256 private constant _MOST_PERCENT = 10_000;

    /// @notice Revert with the field's name unless every parameter is within its bounds.
    function requireValid(IRoundsTypes.Parameters memory p) internal pure {
        _require("rounds", p.rounds, 1, type(uint32).max);
        _require("consentSeconds", p.consentSeconds, 1, type(uint32).max);
        // One second more would not fit when the closing of the stage is noted.
        _require("collectSeconds", p.collectSeconds, 1, uint32(type(int32).max) - 1);
        _require("proposeSeconds", p.proposeSeconds, 1, type(uint32).max);
        _require("attestSeconds", p.attestSeconds, 1, type(uint32).max);
        _require("maxProposals", p.maxProposals, 1, type(uint8).max);
        _require("maxAttempts", p.maxAttempts, 1, type(uint8).max);
        _require("quorumBasisPoints", p.quorumBasisPoints, _HALF_BASIS_POINTS, _WHOLE_BASIS_POINTS);
        _require("minimumSites", p.minimumSites, 1, type(uint16).max);
        _require("targetSites", p.targetSites, p.minimumSites, type(uint16).max);
        _require("maximumSites", p.maximumSites, p.targetSites, type(uint16).max);
        _require("minimumUpdates", p.minimumUpdates, 1, p.maximumSites);
        if (p.targetUpdates != 0) _require("targetUpdates", p.targetUpdates, p.minimumUpdates, p.maximumSites);
        _require("stragglerPercent", p.stragglerPercent, 0, p.targetUpdates == 0 ? 0 : _MOST_PERCENT);
        _require("maximumExamples", p.maximumExamples, 1, type(uint64).max);
        // All credits of a run are packed into 48 bits.
        _require("creditsPerRound", p.creditsPerRound, 0, type(uint48).max / p.rounds);
    }

    function _require(bytes32 field, uint256 value, uint256 lowest, uint256 highest) private pure {
        if (value < lowest || value > highest) revert IRoundsErrors.ParameterInvalid(field, value);
    }
}
