// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What a rounds module writes to the log
/// @notice Every step of a run, in order.
/// @dev Every event below extends the run's running hash, which begins as zero:
/// h' = keccak256(h, topics, data) with the last 6 of its 32 bytes set to zero, over the 32 bytes of h,
/// the event's topics (32 bytes each, the signature's among them) and its data as they are in the raw
/// log. So order and completeness of the log can be checked against one slot; the bytes given up
/// hold the counts that change with each event, which saves every submission and vote a slot.
interface IRoundsEvents {
    /// @notice A site consented under a grant.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param grant Grant, by the id of its access request.
    /// @param position Position in the roster, from 0.
    /// @param maximumExamples Highest weight of the site's updates, in examples.
    /// @param expiry Time in seconds when the grant ends.
    event ConsentGiven(
        uint64 indexed run,
        uint32 indexed site,
        uint64 indexed grant,
        uint16 position,
        uint64 maximumExamples,
        uint40 expiry
    );
    /// @notice A site's consent ended: withdrawn, its grant over, or its standing lost.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param grant Grant, by the id of its access request.
    event ConsentEnded(uint64 indexed run, uint32 indexed site, uint64 indexed grant);
    /// @notice An attempt at a round began with a frozen cohort.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param cohort Sites in the cohort.
    /// @param rosterLength Roster length at the attempt's start.
    /// @param quorum Attestations that make a proposal final.
    /// @param deadline End of the time allowed, in seconds.
    event AttemptStarted(
        uint64 indexed run,
        uint32 indexed round,
        uint8 attempt,
        uint16 cohort,
        uint16 rosterLength,
        uint16 quorum,
        uint40 deadline
    );
    /// @notice A site promised the bytes of its update.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param stage Stage of submissions, from 0.
    /// @param commitment SHA-256 of the update's complete bytes.
    /// @param weight Weight of the update, in examples.
    /// @param locator Locator of the blob, as the digest of a CID.
    event UpdateSubmitted(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint8 attempt,
        uint8 stage,
        bytes32 commitment,
        uint64 weight,
        bytes32 locator
    );
    /// @notice A stage of submissions closed; proposing began.
    /// @dev Logged by the first act after it that moves the run, such as the proposal. A stage closes by
    /// itself when everybody awaited has submitted, or as many as the plan aims at; `stateOf` tells so
    /// at once.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param submitted Number of submissions.
    /// @param deadline End of the proposing phase, in seconds.
    event SubmissionsClosed(uint64 indexed run, uint32 indexed round, uint8 attempt, uint16 submitted, uint40 deadline);
    /// @notice An aggregator proposed a round record.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param proposal Proposal of the attempt, counted from 1.
    /// @param creditsTotal Cumulative credits of all sites, whole.
    /// @param record SHA-256 of the round record.
    /// @param recordLocator Locator of the round record.
    /// @param state SHA-256 of the next state.
    /// @param creditsRoot Root over every site's cumulative credits.
    /// @param deadline End of the time allowed, in seconds.
    /// @param inclusion What does not count: two bits for each roster position, lowest bits first: 0 counts
    /// if it submitted, 2 invalid, 3 unavailable; trailing zero bytes are left off.
    event RoundProposed(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint8 attempt,
        uint8 proposal,
        uint64 creditsTotal,
        bytes32 record,
        bytes32 recordLocator,
        bytes32 state,
        bytes32 creditsRoot,
        uint40 deadline,
        bytes inclusion
    );
    /// @notice A member recomputed a proposal and vouches for it.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param proposal Proposal of the attempt, counted from 1.
    /// @param witness Hash that only a recomputation yields; never zero.
    event RoundAttested(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint8 attempt,
        uint8 proposal,
        bytes32 witness
    );
    /// @notice A member recomputed a proposal and got another record.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param proposal Proposal of the attempt, counted from 1.
    /// @param expected SHA-256 of the record that the member's own recomputation gave.
    event RoundObjected(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint8 attempt,
        uint8 proposal,
        bytes32 expected
    );
    /// @notice A proposal ended without quorum; the next one may come.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param proposal Proposal of the attempt, counted from 1.
    /// @param deadline End of the next proposing phase, in seconds; zero if there is none.
    event ProposalEnded(uint64 indexed run, uint32 indexed round, uint8 attempt, uint8 proposal, uint40 deadline);
    /// @notice A round became final; nothing leads back. What it settled stands in its proposal.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param proposal Proposal of the attempt, counted from 1.
    event RoundFinalized(uint64 indexed run, uint32 indexed round, uint8 attempt, uint8 proposal);
    /// @notice A member voted to end the run with a final round.
    /// @param run Run, counted from 1.
    /// @param round Round to end with, counted from 1.
    /// @param site Site, by its stable id.
    event RunConcluding(uint64 indexed run, uint32 indexed round, uint32 indexed site);
    /// @notice Every round of the plan is final, or a quorum ended the run with an earlier one.
    /// @param run Run, counted from 1.
    /// @param rounds Number of rounds that are final.
    event RunCompleted(uint64 indexed run, uint32 rounds);
    /// @notice A run ended early; by its researcher, an operator, or for lack of attempts.
    /// @param run Run, counted from 1.
    /// @param round Round it was in; zero if none had begun.
    /// @param account Account that aborted it; zero for lack of sites or attempts.
    event RunAborted(uint64 indexed run, uint32 round, address account);
}
