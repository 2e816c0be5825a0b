// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roles} from "./Roles.sol";
import {ICredits} from "./interfaces/ICredits.sol";
import {IRounds} from "./interfaces/IRounds.sol";
import {IRuns} from "./interfaces/IRuns.sol";
import {ISiteRegistry} from "./interfaces/ISiteRegistry.sol";

/// @title Catalogue of runs and of the rounds modules approved for them
/// @notice Freezes a run's plan, initial model and rounds module when it is opened.
contract Runs is IRuns {
    ISiteRegistry private immutable _REGISTRY;
    ICredits private immutable _CREDITS;

    mapping(uint64 run => Run) private _runs;
    mapping(address module => bool approved) private _approved;
    uint64 private _runCount;

    /// @notice Tie the catalogue to the register and to the credits.
    constructor(ISiteRegistry registry, ICredits credits) {
        _REGISTRY = registry;
        _CREDITS = credits;
    }

    /// @inheritdoc IRuns
    function approveModule(address module) external {
        _REGISTRY.requireRole(msg.sender, Roles.OPERATOR);
        if (module.code.length == 0) revert ModuleInvalid(module);
        _approved[module] = true;
        emit ModuleApproved(module, msg.sender);
    }

    /// @inheritdoc IRuns
    function withdrawModule(address module) external {
        _REGISTRY.requireRole(msg.sender, Roles.OPERATOR);
        if (!_approved[module]) revert ModuleNotApproved(module);
        _approved[module] = false;
        emit ModuleWithdrawn(module, msg.sender);
    }

    /// @inheritdoc IRuns
    function open(
        address module,
        bytes32 plan,
        bytes32 planLocator,
        bytes32 initialModel,
        bytes32 initialModelLocator,
        bool transferable,
        bytes calldata parameters
    ) external returns (uint64 run) {
        _REGISTRY.requireRole(msg.sender, Roles.RESEARCHER);
        if (!_approved[module]) revert ModuleNotApproved(module);
        if (plan == 0 || initialModel == 0) revert ISiteRegistry.DigestZero();
        run = ++_runCount;
        _runs[run] = Run(module, msg.sender, plan, initialModel);
        emit RunOpened(
            run,
            msg.sender,
            module,
            plan,
            planLocator,
            initialModel,
            initialModelLocator,
            transferable,
            parameters
        );
        _CREDITS.open(run, module, transferable);
        IRounds(module).start(run, parameters);
    }

    /// @inheritdoc IRuns
    function announce(uint32 site, bytes32 commitment, bytes32 locator) external {
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        if (commitment == 0 || locator == 0) revert ISiteRegistry.DigestZero();
        emit LocatorAnnounced(commitment, site, locator);
    }

    /// @inheritdoc IRuns
    function runOf(uint64 run) external view returns (Run memory) {
        _requireKnown(run);
        return _runs[run];
    }

    /// @inheritdoc IRuns
    function moduleOf(uint64 run) external view returns (address) {
        _requireKnown(run);
        return _runs[run].module;
    }

    /// @inheritdoc IRuns
    function isApproved(address module) external view returns (bool) {
        return _approved[module];
    }

    /// @inheritdoc IRuns
    function runCount() external view returns (uint64) {
        return _runCount;
    }

    function _requireKnown(uint64 run) private view {
        if (_runs[run].module == address(0)) revert RunUnknown(run);
    }
}
