// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roles} from "./Roles.sol";
import {IDataAccess} from "./interfaces/IDataAccess.sol";
import {IDisclosures} from "./interfaces/IDisclosures.sol";
import {IRounds} from "./interfaces/IRounds.sol";
import {IRoundsTypes} from "./interfaces/IRoundsTypes.sol";
import {IRuns} from "./interfaces/IRuns.sol";
import {ISiteRegistry} from "./interfaces/ISiteRegistry.sol";
import {RecordLog} from "./records/RecordLog.sol";

/// @title Ledger of what leaves a site, and under which promises
/// @notice Holds commitments, decisions and counted budgets, never content.
contract Disclosures is RecordLog, IDisclosures {
    uint48 private constant _CERTAINTY_PICO = 1e12;
    uint32 private constant _CONSORTIUM = 0;

    ISiteRegistry private immutable _REGISTRY;
    IDataAccess private immutable _DATA_ACCESS;
    IRuns private immutable _RUNS;

    mapping(uint64 dataset => Budget) private _budgets;
    mapping(uint64 run => mapping(uint64 dataset => Use)) private _uses;
    mapping(uint64 reader => Reader) private _readers;
    uint64 private _readerCount;

    /// @notice Tie the ledger to the register, to the datasets and to the catalogue of runs.
    constructor(ISiteRegistry registry, IDataAccess dataAccess, IRuns runs) {
        _REGISTRY = registry;
        _DATA_ACCESS = dataAccess;
        _RUNS = runs;
    }

    /// @inheritdoc IDisclosures
    function requestRelease(uint64 run, uint32 round, uint8 attempt, uint64 dataset, bytes32 request) external {
        uint32 site = _requireSite(dataset);
        Use memory use = _requireUse(run, dataset, site);
        _requireDigest(request);
        (uint40 key, uint40 last) = (_keyOf(round, attempt), _keyOf(use.round, use.attempt));
        bool again = key == last && use.status == ReleaseStatus.Returned;
        if (round == 0 || attempt == 0 || (key <= last && !again)) {
            revert ReleaseOutOfOrder(run, dataset, use.round, use.attempt);
        }
        (use.round, use.attempt, use.status) = (round, attempt, ReleaseStatus.Requested);
        _uses[run][dataset] = use;
        _note4(abi.encode(_head(), ReleaseRequested.selector, run, round, site, dataset, attempt, request));
    }

    /// @inheritdoc IDisclosures
    function decideRelease(
        uint64 run,
        uint32 round,
        uint8 attempt,
        uint64 dataset,
        ReleaseStatus decision,
        bytes32 reason
    ) external {
        uint32 site = _requireSite(dataset);
        Use memory use = _uses[run][dataset];
        _requireDigest(reason);
        if (decision <= ReleaseStatus.Requested) revert DecisionInvalid(run, dataset, decision);
        bool pending = use.status == ReleaseStatus.Requested && use.round == round && use.attempt == attempt;
        if (!pending) revert ReleaseNotPending(run, dataset, use.round, use.attempt, use.status);
        _uses[run][dataset].status = decision;
        _note4(abi.encode(_head(), ReleaseDecided.selector, run, round, site, dataset, attempt, decision, reason));
    }

    /// @inheritdoc IDisclosures
    function setCeiling(uint64 dataset, uint48 epsilonMicro, uint48 deltaPico, bytes32 grounds) external {
        uint32 site = _requireSite(dataset);
        if (deltaPico > _CERTAINTY_PICO) revert DeltaInvalid(dataset, deltaPico);
        Budget memory budget = _budgets[dataset];
        bool raised = epsilonMicro > budget.epsilonCeiling || deltaPico > budget.deltaCeiling;
        if (raised && grounds == 0) {
            revert CeilingGroundsMissing(dataset, budget.epsilonCeiling, budget.deltaCeiling);
        }
        (budget.epsilonCeiling, budget.deltaCeiling) = (epsilonMicro, deltaPico);
        _budgets[dataset] = budget;
        _note3(abi.encode(_head(), CeilingSet.selector, dataset, site, epsilonMicro, deltaPico, grounds));
    }

    /// @inheritdoc IDisclosures
    function spendBudget(uint64 run, uint32 round, uint64 dataset, uint48 epsilonMicro, uint48 deltaPico) external {
        uint32 site = _requireSite(dataset);
        Use memory use = _requireUse(run, dataset, site);
        if (round == 0 || round < use.spentRound) revert SpendingOutOfOrder(run, dataset, use.spentRound);
        if (epsilonMicro < use.epsilonSpent || deltaPico < use.deltaSpent) {
            revert SpendingFell(run, dataset, use.epsilonSpent, use.deltaSpent);
        }
        _spend(dataset, epsilonMicro - use.epsilonSpent, deltaPico - use.deltaSpent);
        (use.spentRound, use.epsilonSpent, use.deltaSpent) = (round, epsilonMicro, deltaPico);
        _uses[run][dataset] = use;
        _note4(abi.encode(_head(), BudgetSpent.selector, run, round, site, dataset, epsilonMicro, deltaPico));
    }

    /// @inheritdoc IDisclosures
    function setRetention(uint64 dataset, uint32 retentionSeconds) external {
        uint32 site = _requireSite(dataset);
        if (retentionSeconds == 0) revert RetentionZero(dataset);
        _budgets[dataset].retentionSeconds = retentionSeconds;
        _note3(abi.encode(_head(), RetentionSet.selector, dataset, site, retentionSeconds));
    }

    /// @inheritdoc IDisclosures
    function admitReader(
        uint64 run,
        uint32 site,
        address account,
        bytes32 key,
        bytes32 letter,
        bytes32 letterLocator
    ) external returns (uint64 reader) {
        _requireSiteOrOperator(site);
        // Whoever has keys may hand them on: members, and those that a plan names to add ciphertexts.
        _RUNS.moduleOf(run);
        if (account == address(0)) revert ISiteRegistry.AccountZero();
        _requireDigest(key);
        _requireDigest(letter);
        _requireDigest(letterLocator);
        reader = ++_readerCount;
        _readers[reader] = Reader(run, site, true);
        _note4(abi.encode(_head(), ReaderAdmitted.selector, run, site, account, reader, key, letter, letterLocator));
    }

    /// @inheritdoc IDisclosures
    function dismissReader(uint64 reader, uint32 site) external {
        _requireSiteOrOperator(site);
        Reader memory held = _readers[reader];
        if (!held.admitted) revert ReaderNotAdmitted(reader);
        if (site != _CONSORTIUM && site != held.site) revert ReaderNotOfSite(reader, held.site);
        _readers[reader].admitted = false;
        _note4(abi.encode(_head(), ReaderDismissed.selector, held.run, site, reader));
    }

    /// @inheritdoc IDisclosures
    function recordErasure(uint64 run, uint64 dataset, uint32 blobs, bytes32 list, bytes32 grounds) external {
        uint32 site = _requireSite(dataset);
        _RUNS.moduleOf(run);
        if (!_DATA_ACCESS.datasetOf(dataset).closed) revert DatasetStillOpen(dataset);
        if (blobs == 0) revert ErasureEmpty(run, dataset);
        _requireDigest(list);
        _requireDigest(grounds);
        _note4(abi.encode(_head(), BlobsErased.selector, run, site, dataset, blobs, list, grounds));
    }

    /// @inheritdoc IDisclosures
    function budgetOf(uint64 dataset) external view returns (Budget memory) {
        return _budgets[dataset];
    }

    /// @inheritdoc IDisclosures
    function useOf(uint64 run, uint64 dataset) external view returns (Use memory) {
        return _uses[run][dataset];
    }

    /// @inheritdoc IDisclosures
    function readerOf(uint64 reader) external view returns (Reader memory) {
        return _readers[reader];
    }

    /// @inheritdoc IDisclosures
    function readerCount() external view returns (uint64) {
        return _readerCount;
    }

    /// @dev By basic composition: epsilons and deltas of runs add up.
    function _spend(uint64 dataset, uint48 epsilonMicro, uint48 deltaPico) private {
        Budget memory budget = _budgets[dataset];
        uint256 epsilon = uint256(budget.epsilonSpent) + epsilonMicro;
        uint256 delta = uint256(budget.deltaSpent) + deltaPico;
        if (epsilon > budget.epsilonCeiling || delta > budget.deltaCeiling) {
            revert BudgetExceeded(dataset, epsilon, delta, budget.epsilonCeiling, budget.deltaCeiling);
        }
        (budget.epsilonSpent, budget.deltaSpent) = (uint48(epsilon), uint48(delta));
        _budgets[dataset] = budget;
    }

    /// @dev A dataset never changes its site, so the ledger of datasets is asked once.
    function _requireSite(uint64 dataset) private returns (uint32 site) {
        site = _budgets[dataset].site;
        if (site == 0) {
            site = _DATA_ACCESS.datasetOf(dataset).site;
            if (site == 0) revert IDataAccess.DatasetUnknown(dataset);
            _budgets[dataset].site = site;
        }
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
    }

    /// @dev Whether the site takes part in the run with the dataset is asked at the first record of both.
    function _requireUse(uint64 run, uint64 dataset, uint32 site) private view returns (Use memory use) {
        use = _uses[run][dataset];
        if (use.round != 0 || use.spentRound != 0) return use;
        IRoundsTypes.Member memory member = IRounds(_RUNS.moduleOf(run)).memberOf(run, site);
        if (!member.consenting || _DATA_ACCESS.accessOf(member.grant).dataset != dataset) {
            revert DatasetNotInRun(run, dataset);
        }
    }

    function _requireSiteOrOperator(uint32 site) private view {
        if (site == _CONSORTIUM) _REGISTRY.requireRole(msg.sender, Roles.OPERATOR);
        else _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
    }

    function _requireDigest(bytes32 value) private pure {
        if (value == 0) revert ISiteRegistry.DigestZero();
    }

    function _keyOf(uint32 round, uint8 attempt) private pure returns (uint40) {
        return uint40(round) << 8 | attempt;
    }
}
