// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Contribution credits that final rounds granted and sites claim
/// @notice Credits belong to institutions, so they outlive the rotation of an account.
/// @dev A leaf is keccak256(bytes.concat(keccak256(abi.encode(chainId, this, run, site, earned)))),
/// pairs are hashed in sorted order (OpenZeppelin MerkleProof). Hashing leaves twice keeps a pair
/// of nodes from being passed off as a leaf.
interface ICredits {
    /// @notice What a final round settled; its hash is what the rounds module stores.
    struct Settlement {
        /// SHA-256 of the round record.
        bytes32 record;
        /// SHA-256 of the state the round ended in.
        bytes32 state;
        /// Root over every site's cumulative credits.
        bytes32 creditsRoot;
        /// Sum of every site's cumulative credits.
        uint64 creditsTotal;
    }

    /// @notice A site's credits of one run.
    struct Account {
        /// Credits claimed so far.
        uint64 claimed;
        /// Credits held now: claimed, plus received, less given.
        uint64 balance;
    }

    /// @notice A site claimed all its credits up to a round.
    /// @param run Run, counted from 1.
    /// @param roundNumber Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param amount Credits moved, whole.
    /// @param claimed Credits the site has claimed in all, with this.
    event CreditsClaimed(
        uint64 indexed run,
        uint32 indexed roundNumber,
        uint32 indexed site,
        uint64 amount,
        uint64 claimed
    );
    /// @notice A site gave credits to another; only where the plan allows it.
    /// @param run Run, counted from 1.
    /// @param fromSite Site that gives.
    /// @param toSite Site that takes.
    /// @param amount Credits moved, whole.
    event CreditsTransferred(uint64 indexed run, uint32 indexed fromSite, uint32 indexed toSite, uint64 amount);

    /// @notice Thrown when another contract than the catalogue of runs opens a run's account.
    /// @param caller Account or contract that called.
    error CallerNotRuns(address caller);
    /// @notice Thrown when a round is not final, or did not settle what the caller says.
    /// @param run Run, counted from 1.
    /// @param roundNumber Round, counted from 1.
    error SettlementUnknown(uint64 run, uint32 roundNumber);
    /// @notice Thrown when a proof does not lead to the settled root.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param earned Cumulative credits of the site, whole.
    error CreditsProofInvalid(uint64 run, uint32 site, uint64 earned);
    /// @notice Thrown when a claim would bring the claimed total above what the round settled.
    /// @param run Run, counted from 1.
    /// @param claimedTotal Credits claimed by all sites.
    /// @param creditsTotal Cumulative credits of all sites, whole.
    error CreditsExceeded(uint64 run, uint256 claimedTotal, uint64 creditsTotal);
    /// @notice Thrown when there is nothing to claim any more.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param claimed Credits the site has claimed in all.
    error CreditsAlreadyClaimed(uint64 run, uint32 site, uint64 claimed);
    /// @notice Thrown when the plan makes a run's credits non-transferable.
    /// @param run Run, counted from 1.
    error CreditsNotTransferable(uint64 run);
    /// @notice Thrown when a site gives more than it holds.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param balance Credits the site holds.
    error CreditsInsufficient(uint64 run, uint32 site, uint64 balance);

    /// @notice Open the account of a new run; only by the catalogue of runs.
    /// @param run Run that was opened.
    /// @param module Rounds module that leads the run, kept here so that a claim asks it directly.
    /// @param transferable Whether the plan lets sites give credits away.
    function open(uint64 run, address module, bool transferable) external;

    /// @notice Claim everything a site earned up to a final round; only by that site's node.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param roundNumber Round, counted from 1.
    /// @param settlement What the round settled.
    /// @param earned Cumulative credits of the site, whole.
    /// @param proof Siblings on the way to the root.
    /// @return amount Credits paid now, whole.
    function claim(
        uint64 run,
        uint32 site,
        uint32 roundNumber,
        Settlement calldata settlement,
        uint64 earned,
        bytes32[] calldata proof
    ) external returns (uint64 amount);

    /// @notice Give credits to another active site.
    /// @param run Run, counted from 1.
    /// @param fromSite Site that gives.
    /// @param toSite Site that takes.
    /// @param amount Credits moved, whole.
    function transfer(uint64 run, uint32 fromSite, uint32 toSite, uint64 amount) external;

    /// @notice Read a site's credits of a run.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @return Credits of the site.
    function accountOf(uint64 run, uint32 site) external view returns (Account memory);

    /// @notice Read what was claimed of a run by all sites, and whether credits may be given away.
    /// @param run Run, counted from 1.
    /// @return claimedTotal Credits claimed by all sites.
    /// @return transferable Whether sites may give credits away.
    function totalOf(uint64 run) external view returns (uint64 claimedTotal, bool transferable);
}
