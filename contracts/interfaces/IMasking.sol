// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMaskingTypes} from "./IMaskingTypes.sol";
import {IRecordLog} from "./IRecordLog.sol";
import {IRoundsErrors} from "./IRoundsErrors.sol";

/// @title Ledger of masked rounds: the stages around the submissions of a masked rounds module
/// @notice Takes keys, dealings, holdings, the set that counts and disclosed shares, each once a site and
/// attempt, in their order and in time. Every record extends one running hash.
interface IMasking is IMaskingTypes, IRecordLog, IRoundsErrors {
    /// @notice Thrown when an act does not fit the stage of the attempt.
    /// @param run Run, counted from 1.
    /// @param actual What the attempt waits for instead.
    error StageWrong(uint64 run, Stage actual);
    /// @notice Thrown when a site does in an attempt, or for a set, what it has done already.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    error AlreadyRecorded(uint64 run, uint32 site);
    /// @notice Thrown when a site deals shares without having advertised keys.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    error KeysMissing(uint64 run, uint32 site);
    /// @notice Thrown when a site says whose shares it holds without having dealt any.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    error DealingMissing(uint64 run, uint32 site);
    /// @notice Thrown when a site submits or discloses without having said whose shares it holds.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    error HoldingMissing(uint64 run, uint32 site);
    /// @notice Thrown when bytes are longer than the roster allows.
    /// @param run Run, counted from 1.
    /// @param length Length given, in bytes.
    /// @param maximum Highest value allowed.
    error BytesTooLong(uint64 run, uint256 length, uint256 maximum);
    /// @notice Thrown when a set is proposed while members may still affirm the one before.
    /// @param run Run, counted from 1.
    /// @param number Number of the set at hand.
    /// @param deadline End of its affirmations, in seconds.
    error SetPending(uint64 run, uint8 number, uint40 deadline);
    /// @notice Thrown when another set is affirmed than the one at hand.
    /// @param run Run, counted from 1.
    /// @param number Number of the set at hand; zero if there is none.
    error SetNotAtHand(uint64 run, uint8 number);
    /// @notice Thrown when a proposal has other inclusion bytes than the frozen ones, or none are frozen.
    /// @param run Run, counted from 1.
    /// @param frozen keccak256 of the frozen inclusion bytes; zero if none are.
    error InclusionNotFrozen(uint64 run, bytes32 frozen);

    /// @notice Take the times of a run's stages; only from its rounds module, when it starts.
    /// @param run Run, counted from 1.
    /// @param times How long the stages last.
    function start(uint64 run, MaskingTimes calldata times) external;

    /// @notice Advertise a site's public keys of an attempt.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param maskKey X25519 public key that agrees on masks.
    /// @param channelKey X25519 public key that agrees on the encryption of shares.
    function advertise(
        uint64 run,
        uint32 site,
        uint32 round,
        uint8 attempt,
        bytes32 maskKey,
        bytes32 channelKey
    ) external;

    /// @notice Close the key stage, once all of the cohort advertised or its time is over; by any member.
    /// @param run Run, counted from 1.
    function closeKeys(uint64 run) external;

    /// @notice Deal shares of a site's secrets to its neighbours.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param commitment SHA-256 of the blob with the encrypted shares.
    /// @param locator Locator of that blob.
    function deal(
        uint64 run,
        uint32 site,
        uint32 round,
        uint8 attempt,
        bytes32 commitment,
        bytes32 locator
    ) external;

    /// @notice Say whose shares a site holds.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param holding A bit for each neighbour.
    function hold(uint64 run, uint32 site, uint32 round, uint8 attempt, bytes calldata holding) external;

    /// @notice Propose which masked updates count, by an aggregator of the cohort. The turn goes round the
    /// roster: position (round + attempt + number) modulo its length, until the grace period is over.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param inclusion What does not count, as in a proposal.
    function proposeSet(uint64 run, uint32 site, uint32 round, uint8 attempt, bytes calldata inclusion) external;

    /// @notice Affirm the set at hand; at the attempt's quorum it is frozen for good.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param number Number of the set in the attempt, counted from 1.
    function affirmSet(uint64 run, uint32 site, uint32 round, uint8 attempt, uint8 number) external;

    /// @notice Disclose one share of each neighbour, for the frozen set.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param commitment SHA-256 of the blob with the shares.
    /// @param locator Locator of that blob.
    function disclose(
        uint64 run,
        uint32 site,
        uint32 round,
        uint8 attempt,
        bytes32 commitment,
        bytes32 locator
    ) external;

    /// @notice Revert unless a site may submit its masked update now.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param attemptKey Round and attempt, as one number.
    /// @return held Sites that may submit in this attempt.
    function requireHolding(uint64 run, uint32 site, uint40 attemptKey) external view returns (uint16 held);

    /// @notice Revert unless these are the frozen inclusion bytes of an attempt.
    /// @param run Run, counted from 1.
    /// @param attemptKey Round and attempt, as one number.
    /// @param inclusion keccak256 of the bytes.
    function requireFrozen(uint64 run, uint40 attemptKey, bytes32 inclusion) external view;

    /// @notice Read how long the stages of a run last.
    /// @param run Run, counted from 1.
    /// @return The times; all zero if the run masks nothing.
    function timesOf(uint64 run) external view returns (MaskingTimes memory);

    /// @notice Read where the masked attempt at hand stands.
    /// @param run Run, counted from 1.
    /// @return The state; all zero outside of an attempt, and of a run that masks nothing.
    function stateOf(uint64 run) external view returns (MaskingState memory);
}
