// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Roles} from "./Roles.sol";
import {ICredits} from "./interfaces/ICredits.sol";
import {IRounds} from "./interfaces/IRounds.sol";
import {ISiteRegistry} from "./interfaces/ISiteRegistry.sol";

/// @title Contribution credits that final rounds granted and sites claim
/// @notice Credits belong to institutions, so they outlive the rotation of an account.
contract Credits is ICredits {
    /// @dev One slot per run, set when the run opens, so that the first claim pays for no fresh one.
    struct Ledger {
        address module;
        uint64 claimedTotal;
        bool transferable;
    }

    ISiteRegistry private immutable _REGISTRY;
    address private immutable _RUNS;

    mapping(uint64 run => Ledger) private _ledgers;
    mapping(uint64 run => mapping(uint32 site => Account)) private _accounts;

    /// @notice Tie the credits to the register and to the catalogue of runs.
    constructor(ISiteRegistry registry, address runs) {
        _REGISTRY = registry;
        _RUNS = runs;
    }

    /// @inheritdoc ICredits
    function open(uint64 run, address module, bool transferable) external {
        if (msg.sender != _RUNS) revert CallerNotRuns(msg.sender);
        _ledgers[run] = Ledger(module, 0, transferable);
    }

    /// @inheritdoc ICredits
    function claim(
        uint64 run,
        uint32 site,
        uint32 roundNumber,
        Settlement calldata settlement,
        uint64 earned,
        bytes32[] calldata proof
    ) external returns (uint64 amount) {
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        Ledger memory ledger = _ledgers[run];
        _requireSettled(ledger.module, run, roundNumber, settlement);
        _requireProven(run, site, earned, settlement.creditsRoot, proof);

        Account memory account = _accounts[run][site];
        if (earned <= account.claimed) revert CreditsAlreadyClaimed(run, site, account.claimed);
        amount = earned - account.claimed;
        uint256 claimedTotal = uint256(ledger.claimedTotal) + amount;
        if (claimedTotal > settlement.creditsTotal) {
            revert CreditsExceeded(run, claimedTotal, settlement.creditsTotal);
        }
        _ledgers[run].claimedTotal = uint64(claimedTotal);
        _accounts[run][site] = Account(earned, account.balance + amount);
        emit CreditsClaimed(run, roundNumber, site, amount, earned);
    }

    /// @inheritdoc ICredits
    function transfer(uint64 run, uint32 fromSite, uint32 toSite, uint64 amount) external {
        _REGISTRY.requireNode(fromSite, msg.sender, Roles.SITE);
        if (!_ledgers[run].transferable) revert CreditsNotTransferable(run);
        ISiteRegistry.Standing standing = _REGISTRY.siteOf(toSite).standing;
        if (standing != ISiteRegistry.Standing.Active) revert ISiteRegistry.SiteStandingWrong(toSite, standing);
        uint64 balance = _accounts[run][fromSite].balance;
        if (balance < amount) revert CreditsInsufficient(run, fromSite, balance);
        _accounts[run][fromSite].balance = balance - amount;
        _accounts[run][toSite].balance += amount;
        emit CreditsTransferred(run, fromSite, toSite, amount);
    }

    /// @inheritdoc ICredits
    function accountOf(uint64 run, uint32 site) external view returns (Account memory) {
        return _accounts[run][site];
    }

    /// @inheritdoc ICredits
    function totalOf(uint64 run) external view returns (uint64 claimedTotal, bool transferable) {
        return (_ledgers[run].claimedTotal, _ledgers[run].transferable);
    }

    function _requireSettled(address module, uint64 run, uint32 roundNumber, Settlement calldata settlement)
        private
        view
    {
        bytes32 settled = module == address(0) ? bytes32(0) : IRounds(module).settlementOf(run, roundNumber);
        if (settled == 0 || settled != keccak256(abi.encode(settlement))) revert SettlementUnknown(run, roundNumber);
    }

    function _requireProven(uint64 run, uint32 site, uint64 earned, bytes32 root, bytes32[] calldata proof)
        private
        view
    {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(block.chainid, address(this), run, site, earned))));
        if (!MerkleProof.verifyCalldata(proof, root, leaf)) revert CreditsProofInvalid(run, site, earned);
    }
}
