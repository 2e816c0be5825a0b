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
    uint256 private constant _CLAIMED_TOTAL = 160;
    uint256 private constant _TRANSFERABLE = 224;
    uint256 private constant _BALANCE = 64;

    ISiteRegistry private immutable _REGISTRY;
    address private immutable _RUNS;

    /// @dev Both are packed by hand, because a struct's slot is read and written once for each field.
    /// From the lowest bit: module 160, claimedTotal 64, transferable 8. Set when the run opens, so that
    /// the first claim pays for no fresh slot.
    mapping(uint64 run => uint256 packed) private _ledgers;
    /// @dev From the lowest bit: claimed 64, balance 64.
    mapping(uint64 run => mapping(uint32 site => uint256 packed)) private _accounts;

    /// @notice Tie the credits to the register and to the catalogue of runs.
    constructor(ISiteRegistry registry, address runs) {
        _REGISTRY = registry;
        _RUNS = runs;
    }

    /// @inheritdoc ICredits
    function open(uint64 run, address module, bool transferable) external {
        if (msg.sender != _RUNS) revert CallerNotRuns(msg.sender);
        _ledgers[run] = uint256(uint160(module)) | (transferable ? 1 << _TRANSFERABLE : 0);
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
        uint256 ledger = _ledgers[run];
        _requireSettled(address(uint160(ledger)), run, roundNumber, settlement);
        _requireProven(run, site, earned, settlement.creditsRoot, proof);

        uint256 account = _accounts[run][site];
        uint64 claimed = uint64(account);
        if (earned <= claimed) revert CreditsAlreadyClaimed(run, site, claimed);
        amount = earned - claimed;
        uint256 claimedTotal = uint256(uint64(ledger >> _CLAIMED_TOTAL)) + amount;
        if (claimedTotal > settlement.creditsTotal) {
            revert CreditsExceeded(run, claimedTotal, settlement.creditsTotal);
        }
        _ledgers[run] = ledger + (uint256(amount) << _CLAIMED_TOTAL);
        _accounts[run][site] = _packed(earned, uint64(account >> _BALANCE) + amount);
        emit CreditsClaimed(run, roundNumber, site, amount, earned);
    }

    /// @inheritdoc ICredits
    function transfer(uint64 run, uint32 fromSite, uint32 toSite, uint64 amount) external {
        _REGISTRY.requireNode(fromSite, msg.sender, Roles.SITE);
        if (_ledgers[run] >> _TRANSFERABLE == 0) revert CreditsNotTransferable(run);
        ISiteRegistry.Standing standing = _REGISTRY.siteOf(toSite).standing;
        if (standing != ISiteRegistry.Standing.Active) revert ISiteRegistry.SiteStandingWrong(toSite, standing);
        Account memory giver = accountOf(run, fromSite);
        if (giver.balance < amount) revert CreditsInsufficient(run, fromSite, giver.balance);
        _accounts[run][fromSite] = _packed(giver.claimed, giver.balance - amount);
        // Read after the giver is written: a site may give to itself.
        Account memory taker = accountOf(run, toSite);
        _accounts[run][toSite] = _packed(taker.claimed, taker.balance + amount);
        emit CreditsTransferred(run, fromSite, toSite, amount);
    }

    /// @inheritdoc ICredits
    function accountOf(uint64 run, uint32 site) public view returns (Account memory) {
        uint256 account = _accounts[run][site];
        return Account(uint64(account), uint64(account >> _BALANCE));
    }

    /// @inheritdoc ICredits
    function totalOf(uint64 run) external view returns (uint64 claimedTotal, bool transferable) {
        uint256 ledger = _ledgers[run];
        return (uint64(ledger >> _CLAIMED_TOTAL), ledger >> _TRANSFERABLE != 0);
    }

    function _packed(uint64 claimed, uint64 balance) private pure returns (uint256) {
        return uint256(balance) << _BALANCE | claimed;
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
