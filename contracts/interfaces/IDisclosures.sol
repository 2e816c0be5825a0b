// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDisclosuresRecords} from "./IDisclosuresRecords.sol";
import {IRecordLog} from "./IRecordLog.sol";

/// @title Ledger of what leaves a site, and under which promises
/// @notice Holds commitments, decisions and counted budgets, never content. Every record extends one
/// running hash, so that one slot proves their order and that none is missing.
interface IDisclosures is IDisclosuresRecords, IRecordLog {
    /// @notice Thrown when a dataset is not the one under whose grant its site consents to the run.
    /// @param run Run, counted from 1.
    /// @param dataset Dataset, counted from 1.
    error DatasetNotInRun(uint64 run, uint64 dataset);
    /// @notice Thrown when a release is asked for again that was not returned, or for an attempt before the
    /// last asked for.
    /// @param run Run, counted from 1.
    /// @param dataset Dataset, counted from 1.
    /// @param round Round of the last request; zero if none.
    /// @param attempt Attempt of the last request.
    error ReleaseOutOfOrder(uint64 run, uint64 dataset, uint32 round, uint8 attempt);
    /// @notice Thrown when a decision names another attempt than the last request, or one decided already.
    /// @param run Run, counted from 1.
    /// @param dataset Dataset, counted from 1.
    /// @param round Round of the last request; zero if none.
    /// @param attempt Attempt of the last request.
    /// @param actual Where the last request stands.
    error ReleaseNotPending(uint64 run, uint64 dataset, uint32 round, uint8 attempt, ReleaseStatus actual);
    /// @notice Thrown when something is recorded as a decision that is none.
    /// @param run Run, counted from 1.
    /// @param dataset Dataset, counted from 1.
    /// @param decision What was to be recorded.
    error DecisionInvalid(uint64 run, uint64 dataset, ReleaseStatus decision);
    /// @notice Thrown when a ceiling allows a probability above one.
    /// @param dataset Dataset, counted from 1.
    /// @param deltaPico Delta, in millionths of a millionth.
    error DeltaInvalid(uint64 dataset, uint48 deltaPico);
    /// @notice Thrown when a ceiling is raised without saying on what grounds.
    /// @param dataset Dataset, counted from 1.
    /// @param epsilonMicro Epsilon of the ceiling in force, in millionths.
    /// @param deltaPico Delta of the ceiling in force, in millionths of a millionth.
    error CeilingGroundsMissing(uint64 dataset, uint48 epsilonMicro, uint48 deltaPico);
    /// @notice Thrown when the spending of a round comes after that of a later one.
    /// @param run Run, counted from 1.
    /// @param dataset Dataset, counted from 1.
    /// @param round Round of the last spending; zero if none.
    error SpendingOutOfOrder(uint64 run, uint64 dataset, uint32 round);
    /// @notice Thrown when less is recorded as spent than before.
    /// @param run Run, counted from 1.
    /// @param dataset Dataset, counted from 1.
    /// @param epsilonMicro Epsilon on record, in millionths.
    /// @param deltaPico Delta on record, in millionths of a millionth.
    error SpendingFell(uint64 run, uint64 dataset, uint48 epsilonMicro, uint48 deltaPico);
    /// @notice Thrown when a dataset would have spent more, over all its runs, than its ceiling.
    /// @param dataset Dataset, counted from 1.
    /// @param epsilonMicro Epsilon it would have spent, in millionths.
    /// @param deltaPico Delta it would have spent, in millionths of a millionth.
    /// @param epsilonCeiling Epsilon of the ceiling, in millionths.
    /// @param deltaCeiling Delta of the ceiling, in millionths of a millionth.
    error BudgetExceeded(
        uint64 dataset, uint256 epsilonMicro, uint256 deltaPico, uint48 epsilonCeiling, uint48 deltaCeiling
    );
    /// @notice Thrown when a period of no time is set.
    /// @param dataset Dataset, counted from 1.
    error RetentionZero(uint64 dataset);
    /// @notice Thrown when somebody is not, or no longer, admitted to read.
    /// @param reader Reader, counted from 1.
    error ReaderNotAdmitted(uint64 reader);
    /// @notice Thrown when another site than the one that admitted a reader dismisses it.
    /// @param reader Reader, counted from 1.
    /// @param site Site that admitted it; zero is the consortium's operator.
    error ReaderNotOfSite(uint64 reader, uint32 site);
    /// @notice Thrown when blobs of a dataset that is still open are said to be erased.
    /// @param dataset Dataset, counted from 1.
    error DatasetStillOpen(uint64 dataset);
    /// @notice Thrown when nothing was erased.
    /// @param run Run, counted from 1.
    /// @param dataset Dataset, counted from 1.
    error ErasureEmpty(uint64 run, uint64 dataset);

    /// @notice Ask one's own airlock for the release of an update; in the order of attempts, and once for each
    /// unless it was returned.
    /// @param run Run, counted from 1; the first time, its site consents under a grant on the dataset.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param dataset Dataset of the caller's site.
    /// @param request SHA-256 of what is to leave and of what was checked.
    function requestRelease(uint64 run, uint32 round, uint8 attempt, uint64 dataset, bytes32 request) external;

    /// @notice Decide on the release that was asked for last; once.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param dataset Dataset of the caller's site.
    /// @param decision Approved, rejected, expired undecided, or returned.
    /// @param reason SHA-256 of the decision and its reasons.
    function decideRelease(
        uint64 run, uint32 round, uint8 attempt, uint64 dataset, ReleaseStatus decision, bytes32 reason
    ) external;

    /// @notice Set what may be spent of a dataset's privacy over all runs; what was never set is nothing.
    /// @param dataset Dataset of the caller's site.
    /// @param epsilonMicro Epsilon, in millionths.
    /// @param deltaPico Delta, in millionths of a millionth.
    /// @param grounds SHA-256 of the grounds; may be zero where neither is raised.
    function setCeiling(uint64 dataset, uint48 epsilonMicro, uint48 deltaPico, bytes32 grounds) external;

    /// @notice Record what a run has spent of a dataset's privacy, before the update leaves.
    /// @param run Run, counted from 1; the first time, its site consents under a grant on the dataset.
    /// @param round Round, counted from 1.
    /// @param dataset Dataset of the caller's site.
    /// @param epsilonMicro Epsilon spent in the run so far, in millionths.
    /// @param deltaPico Delta spent in the run so far, in millionths of a millionth.
    function spendBudget(uint64 run, uint32 round, uint64 dataset, uint48 epsilonMicro, uint48 deltaPico) external;

    /// @notice Say how long blobs made from a dataset are kept.
    /// @param dataset Dataset of the caller's site.
    /// @param retentionSeconds Period, in seconds, from the end of a run.
    function setRetention(uint64 dataset, uint32 retentionSeconds) external;

    /// @notice Give an account the right to read a run's sealed blobs.
    /// @param run Run, counted from 1.
    /// @param site Site that admits; it may be none of the run's. Zero is the consortium's operator.
    /// @param account Account of the reader, of a member or not.
    /// @param key X25519 public key of the reader.
    /// @param letter SHA-256 of the letter that carries the run's keys, sealed to that key.
    /// @param letterLocator Locator of the letter.
    /// @return reader Id of the reader.
    function admitReader(
        uint64 run, uint32 site, address account, bytes32 key, bytes32 letter, bytes32 letterLocator
    ) external returns (uint64 reader);

    /// @notice End a right to read; what was read before cannot be unread.
    /// @param reader Reader, counted from 1.
    /// @param site Site that admitted it; zero is the consortium's operator, who may end any.
    function dismissReader(uint64 reader, uint32 site) external;

    /// @notice Record that blobs of a run made from a closed dataset were erased, or can be read no more.
    /// @param run Run, counted from 1.
    /// @param dataset Dataset of the caller's site.
    /// @param blobs Number of blobs.
    /// @param list SHA-256 of the list of their commitments.
    /// @param grounds SHA-256 of the grounds.
    function recordErasure(uint64 run, uint64 dataset, uint32 blobs, bytes32 list, bytes32 grounds) external;

    /// @notice Read a dataset's privacy budget and retention period.
    /// @param dataset Dataset, counted from 1.
    /// @return The budget; all zero if nothing was recorded.
    function budgetOf(uint64 dataset) external view returns (Budget memory);

    /// @notice Read what a run made of a dataset.
    /// @param run Run, counted from 1.
    /// @param dataset Dataset, counted from 1.
    /// @return The use; all zero if nothing was recorded.
    function useOf(uint64 run, uint64 dataset) external view returns (Use memory);

    /// @notice Read a reader.
    /// @param reader Reader, counted from 1.
    /// @return The reader; all zero if there is none.
    function readerOf(uint64 reader) external view returns (Reader memory);

    /// @notice Count the readers ever admitted; their ids run from 1 to this.
    /// @return Number of readers.
    function readerCount() external view returns (uint64);
}
