// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roles} from "./Roles.sol";
import {IDataAccess} from "./interfaces/IDataAccess.sol";
import {IRounds} from "./interfaces/IRounds.sol";
import {IRoundsTypes} from "./interfaces/IRoundsTypes.sol";
import {IRuns} from "./interfaces/IRuns.sol";
import {ISiteRegistry} from "./interfaces/ISiteRegistry.sol";

/// @title Ledger of datasets and of decisions about access to them
/// @notice Holds commitments and decisions, never data.
contract DataAccess is IDataAccess {
    uint64 private constant _MAXIMUM_EXAMPLES = type(uint40).max;
    uint64 private constant _NO_RUN = 0;

    ISiteRegistry private immutable _REGISTRY;
    IRuns private immutable _RUNS;

    mapping(uint64 dataset => Dataset) private _datasets;
    mapping(uint64 grant => Access) private _accesses;
    uint64 private _datasetCount;
    uint64 private _accessCount;

    /// @notice Tie the ledger to the register and to the catalogue of runs.
    constructor(ISiteRegistry registry, IRuns runs) {
        _REGISTRY = registry;
        _RUNS = runs;
    }

    /// @inheritdoc IDataAccess
    function registerDataset(uint32 site, bytes32 description, bytes32 data, uint64 examples)
        external
        returns (uint64 dataset)
    {
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        if (description == 0 || data == 0) revert ISiteRegistry.DigestZero();
        if (examples == 0 || examples > _MAXIMUM_EXAMPLES) revert ExamplesInvalid(examples);
        dataset = ++_datasetCount;
        _datasets[dataset] = Dataset(site, examples, false, description, data);
        emit DatasetRegistered(dataset, site, description, data, examples);
    }

    /// @inheritdoc IDataAccess
    function closeDataset(uint64 dataset) external {
        uint32 site = _requireOpen(dataset);
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        _datasets[dataset].closed = true;
        emit DatasetClosed(dataset, site);
    }

    /// @inheritdoc IDataAccess
    function requestAccess(uint64 dataset, bytes32 purpose, bytes32 purposeLocator) external returns (uint64 grant) {
        _REGISTRY.requireRole(msg.sender, Roles.RESEARCHER);
        _requireOpen(dataset);
        if (purpose == 0) revert ISiteRegistry.DigestZero();
        grant = ++_accessCount;
        _accesses[grant] = Access(dataset, msg.sender, AccessStatus.Requested, 0, _NO_RUN);
        emit AccessRequested(grant, dataset, msg.sender, purpose, purposeLocator);
    }

    /// @inheritdoc IDataAccess
    function grantAccess(uint64 grant, bytes32 terms, bytes32 termsLocator, uint40 expiry) external {
        (Access storage access, uint32 site) = _requireDecider(grant, AccessStatus.Requested);
        _requireOpen(access.dataset);
        if (terms == 0) revert ISiteRegistry.DigestZero();
        if (expiry <= block.timestamp) revert ExpiryPast(expiry);
        access.status = AccessStatus.Granted;
        access.expiry = expiry;
        emit AccessGranted(grant, access.dataset, site, terms, termsLocator, expiry);
    }

    /// @inheritdoc IDataAccess
    function denyAccess(uint64 grant, bytes32 reason) external {
        (Access storage access, uint32 site) = _requireDecider(grant, AccessStatus.Requested);
        access.status = AccessStatus.Denied;
        emit AccessDenied(grant, access.dataset, site, reason);
    }

    /// @inheritdoc IDataAccess
    function revokeAccess(uint64 grant) external {
        (Access storage access, uint32 site) = _requireDecider(grant, AccessStatus.Granted);
        uint64 run = access.run;
        access.status = AccessStatus.Revoked;
        access.run = _NO_RUN;
        emit AccessRevoked(grant, access.dataset, site);
        if (run != _NO_RUN) IRounds(_RUNS.moduleOf(run)).endConsent(run, site);
    }

    /// @inheritdoc IDataAccess
    function bindConsent(uint64 grant, uint64 run, uint32 site) external returns (uint64 examples, uint40 expiry) {
        IRuns.Run memory opened = _requireModule(run);
        Access memory access = _accesses[grant];
        if (access.status != AccessStatus.Granted) revert AccessStatusWrong(grant, access.status);
        if (access.expiry <= block.timestamp) revert GrantExpired(grant, access.expiry);
        if (access.researcher != opened.researcher) revert GrantNotForResearcher(grant, access.researcher);
        if (_requireOpen(access.dataset) != site) revert DatasetNotOfSite(access.dataset, site);
        if (access.run != _NO_RUN && !_isOver(access.run)) revert GrantInUse(grant, access.run);
        _accesses[grant].run = run;
        return (_datasets[access.dataset].examples, access.expiry);
    }

    /// @inheritdoc IDataAccess
    function releaseConsent(uint64 grant, uint64 run) external {
        _requireModule(run);
        // A grant whose run was over may carry the next run's consent by now.
        if (_accesses[grant].run == run) _accesses[grant].run = _NO_RUN;
    }

    /// @inheritdoc IDataAccess
    function datasetOf(uint64 dataset) external view returns (Dataset memory) {
        return _datasets[dataset];
    }

    /// @inheritdoc IDataAccess
    function accessOf(uint64 grant) external view returns (Access memory) {
        return _accesses[grant];
    }

    /// @inheritdoc IDataAccess
    function datasetCount() external view returns (uint64) {
        return _datasetCount;
    }

    /// @inheritdoc IDataAccess
    function accessCount() external view returns (uint64) {
        return _accessCount;
    }

    function _isOver(uint64 run) private view returns (bool) {
        IRoundsTypes.Phase phase = IRounds(_RUNS.moduleOf(run)).stateOf(run).phase;
        return phase == IRoundsTypes.Phase.Completed || phase == IRoundsTypes.Phase.Aborted;
    }

    function _requireOpen(uint64 dataset) private view returns (uint32 site) {
        Dataset storage held = _datasets[dataset];
        if (held.examples == 0) revert DatasetUnknown(dataset);
        if (held.closed) revert DatasetAlreadyClosed(dataset);
        return held.site;
    }

    function _requireDecider(uint64 grant, AccessStatus needed)
        private
        view
        returns (Access storage access, uint32 site)
    {
        access = _accesses[grant];
        if (access.status != needed) revert AccessStatusWrong(grant, access.status);
        site = _datasets[access.dataset].site;
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
    }

    function _requireModule(uint64 run) private view returns (IRuns.Run memory opened) {
        opened = _RUNS.runOf(run);
        if (opened.module != msg.sender) revert CallerNotModule(msg.sender, run);
    }
}
