// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsErrors} from "./IRoundsErrors.sol";
import {IRoundsEvents} from "./IRoundsEvents.sol";

/// @title Rounds module: leads runs from consent to finality
/// @notice Everything is keyed by (round, attempt, proposal), each counted from 1. A module is
/// immutable and owns every state of its runs; register, grants and credits know this interface only.
interface IRounds is IRoundsEvents, IRoundsErrors {
    /// @notice Start a run; only by the catalogue of runs. Parameters: abi.encode(Parameters).
    /// @param run Run, counted from 1.
    /// @param parameters abi.encode(Parameters).
    function start(uint64 run, bytes calldata parameters) external;

    /// @notice Consent to a run under a live grant.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param grant Grant, by the id of its access request.
    function consent(uint64 run, uint32 site, uint64 grant) external;

    /// @notice Withdraw a consent, from this moment on.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    function withdraw(uint64 run, uint32 site) external;

    /// @notice End the consent of a site whose grant ended or whose standing is lost; by anybody.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    function drop(uint64 run, uint32 site) external;

    /// @notice End a consent because its grant was revoked; only by the data-access ledger.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    function endConsent(uint64 run, uint32 site) external;

    /// @notice Submit the commitment of an update for a stage of the attempt; a plain module has stage 0 only.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param stage Stage of submissions, from 0.
    /// @param commitment SHA-256 of the update's complete bytes.
    /// @param weight Weight of the update, in examples.
    /// @param locator Locator of the blob, as the digest of a CID.
    function submit(
        uint64 run,
        uint32 site,
        uint32 round,
        uint8 attempt,
        uint8 stage,
        bytes32 commitment,
        uint64 weight,
        bytes32 locator
    ) external;

    /// @notice Propose a round record.
    /// @param proposal What is to become final.
    function propose(Proposal calldata proposal) external;

    /// @notice Attest a proposal after recomputing it; also late, until the next one becomes final, if it
    /// became final itself.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param proposal Proposal of the attempt, counted from 1.
    /// @param witness Hash that only a recomputation yields; never zero.
    function attest(uint64 run, uint32 site, uint32 round, uint8 attempt, uint8 proposal, bytes32 witness) external;

    /// @notice Object to a proposal, naming the record one's own recomputation gave.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param proposal Proposal of the attempt, counted from 1.
    /// @param expected SHA-256 of the record that the member's own recomputation gave.
    function objectTo(uint64 run, uint32 site, uint32 round, uint8 attempt, uint8 proposal, bytes32 expected) external;

    /// @notice Vote to end a run with the round that is final; at the quorum of that round the run is
    /// completed. When the next round begins first, the votes are void.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id; of the cohort that made the round final.
    /// @param round Round to end with, counted from 1.
    function conclude(uint64 run, uint32 site, uint32 round) external;

    /// @notice Move a run on whose deadline has passed, or whose round is final; by any member, the
    /// researcher or an operator.
    /// @param run Run, counted from 1.
    function advance(uint64 run) external;

    /// @notice Abort a run; by its researcher or an operator. What is final stays final.
    /// @param run Run, counted from 1.
    function abort(uint64 run) external;

    /// @notice Read where a run stands.
    /// @param run Run, counted from 1.
    /// @return Where the run stands.
    function stateOf(uint64 run) external view returns (State memory);

    /// @notice Read a run's parameters.
    /// @param run Run, counted from 1.
    /// @return What the plan fixed.
    function parametersOf(uint64 run) external view returns (Parameters memory);

    /// @notice Read a site's place in a run.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @return The site's place.
    function memberOf(uint64 run, uint32 site) external view returns (Member memory);

    /// @notice Read the running hash over every event of a run.
    /// @param run Run, counted from 1.
    /// @return The running hash; its last six bytes are zero.
    function runningHashOf(uint64 run) external view returns (bytes32);

    /// @notice Read keccak256(abi.encode(Settlement)) of a final round; zero if it is not final.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @return The hash, or zero.
    function settlementOf(uint64 run, uint32 round) external view returns (bytes32);
}
