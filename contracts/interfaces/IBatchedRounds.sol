// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "./IRounds.sol";

/// @title Rounds in batches: one transaction for many updates, one for a committee's attestations
/// @notice Everything of `IRounds` holds; a site that is left out of a batch submits by itself.
/// @dev A run starts with abi.encode(Parameters, uint16 committee): how many members attest a
/// proposal before it is final, drawn for each proposal; zero for the whole cohort. The quorum counts
/// the committee. Signatures are by EIP-712, in the domain ("fednet BatchedRounds", "1", chain, module):
/// Update(uint64 run,uint32 round,uint8 attempt,uint32 site,bytes32 commitment,uint64 weight,bytes32 locator)
/// and
/// Attestation(uint64 run,uint32 round,uint8 attempt,uint8 proposal,uint32 site,bytes32 settlement,bytes32 witness).
/// The contract verifies attestations; updates' signatures are in the batch's sheet, where every member
/// and the audit verify them: an entry without a valid one counts as invalid.
interface IBatchedRounds is IRounds {
    /// @notice A member handed in the updates of many sites.
    /// @dev Positions come in words of 216 bits, lowest first, as they are counted in the roster. A row of
    /// 37 bytes belongs to each, in their order: the update's commitment (32) and its weight (5). A row
    /// counts if the site consents at that moment and has submitted nothing to the attempt.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site that handed them in.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param sheet SHA-256 of the blob that holds every row's locator and signature.
    /// @param sheetLocator Locator of that blob, as the digest of a CID.
    /// @param positions Roster positions of the sites, bit by bit.
    /// @param rows Commitment and weight of each, in the order of the positions.
    event UpdatesBatched(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint8 attempt,
        bytes32 sheet,
        bytes32 sheetLocator,
        uint256[] positions,
        bytes rows
    );
    /// @notice The first vote on a proposal drew its committee.
    /// @dev From seed = keccak256(abi.encode(hash of the seed block, run, round, attempt, proposal)): for
    /// i = 0, 1, ... below 256 the position keccak256(abi.encode(seed, i)) modulo the roster's length,
    /// unless it is drawn already or no consent stands there, until the committee is full.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param proposal Proposal of the attempt, counted from 1.
    /// @param seedBlock Block whose hash is the seed.
    /// @param size Members drawn.
    /// @param members Their roster positions, 16 bits each, the first drawn lowest.
    event CommitteeDrawn(
        uint64 indexed run,
        uint32 indexed round,
        uint8 attempt,
        uint8 proposal,
        uint64 seedBlock,
        uint8 size,
        uint256 members
    );
    /// @notice An account carried signed attestations of many sites.
    /// @dev A row counts unless its site has voted on the proposal before, in this batch or ahead of it.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param proposal Proposal of the attempt, counted from 1.
    /// @param rows Site (4 bytes), witness (32) and signature (65) of each, as they were handed in.
    event AttestationsBatched(
        uint64 indexed run,
        uint32 indexed round,
        uint8 attempt,
        uint8 proposal,
        bytes rows
    );

    /// @notice Thrown when rows are not whole or do not fit the positions, or one is beyond the roster.
    /// @param run Run, counted from 1.
    /// @param positions Positions marked; for attestations, whole rows.
    /// @param rowBytes Length of the rows, in bytes.
    error BatchMalformed(uint64 run, uint256 positions, uint256 rowBytes);
    /// @notice Thrown when no row of a batch would count.
    /// @param run Run, counted from 1.
    error BatchWithoutEffect(uint64 run);
    /// @notice Thrown when a site outside the committee votes on a proposal that is not final.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    error SiteNotInCommittee(uint64 run, uint32 site);
    /// @notice Thrown when a vote comes in the proposal's own block, whose hash is not known yet.
    /// @param run Run, counted from 1.
    /// @param proposedIn Block of the proposal.
    error CommitteeUndrawn(uint64 run, uint256 proposedIn);
    /// @notice Thrown when an attestation carries no signature of anybody's.
    /// @param site Site that the attestation names.
    error AttestationSignatureInvalid(uint32 site);

    /// @notice Hand in signed updates of many sites; by the node of an aggregator in the cohort.
    /// @param run Run, counted from 1.
    /// @param site Site that hands them in.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param sheet SHA-256 of the blob that holds every row's locator and signature.
    /// @param sheetLocator Locator of that blob, as the digest of a CID.
    /// @param positions Roster positions of the sites, 216 bits in each word, lowest first.
    /// @param rows Commitment (32 bytes) and weight (5) of each, in the order of the positions.
    function submitBatch(
        uint64 run,
        uint32 site,
        uint32 round,
        uint8 attempt,
        bytes32 sheet,
        bytes32 sheetLocator,
        uint256[] calldata positions,
        bytes calldata rows
    ) external;

    /// @notice Carry signed attestations; by anybody. Those of sites that have voted are passed over.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param proposal Proposal of the attempt, counted from 1.
    /// @param rows Site (4 bytes), witness (32) and signature (65) of each.
    /// @param andAdvance Whether to move on at once if they make the round final; then by a member only.
    function attestBatch(
        uint64 run,
        uint32 round,
        uint8 attempt,
        uint8 proposal,
        bytes calldata rows,
        bool andAdvance
    ) external;

    /// @notice Read the committee of the proposal at hand, packed. From the lowest bit: members drawn, zero
    /// before the first vote 8; their roster positions 16 each, or before the first vote the proposal's
    /// block 240; members that the plan asks for, zero for the whole cohort 8.
    /// @param run Run, counted from 1.
    /// @return The committee.
    function committeeOf(uint64 run) external view returns (uint256);
}
