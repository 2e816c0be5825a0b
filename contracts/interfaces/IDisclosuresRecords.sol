// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Records of what leaves a site
/// @notice What the ledger of disclosures holds and says. An epsilon is in millionths, a delta in
/// millionths of a millionth; both are rounded up by whoever records them.
/// @dev Every event below extends one running hash, which begins as zero, in the form of IRoundsEvents:
/// h' = keccak256(h, topics, data) with the last 6 of its 32 bytes set to zero.
interface IDisclosuresRecords {
    /// @notice Where the release of an update stands.
    enum ReleaseStatus {
        /// Nobody asked.
        None,
        /// Waits for the site's airlock.
        Requested,
        /// The update may leave.
        Approved,
        /// The update stays.
        Rejected,
        /// Nobody decided in time; the update stays.
        Expired,
        /// A person sent it back; another may be asked for in the same attempt.
        Returned
    }

    /// @notice A dataset's privacy budget over all its runs, and how long what was made of it is kept.
    struct Budget {
        /// Site that holds the data; zero until anything is recorded of the dataset.
        uint32 site;
        /// Epsilon that may be spent.
        uint48 epsilonCeiling;
        /// Delta that may be spent.
        uint48 deltaCeiling;
        /// Epsilon spent, over all runs.
        uint48 epsilonSpent;
        /// Delta spent, over all runs.
        uint48 deltaSpent;
        /// Period in seconds, from the end of a run; zero if none was set.
        uint32 retentionSeconds;
    }

    /// @notice What a run made of a dataset.
    struct Use {
        /// Round of the last request for release; zero if none.
        uint32 round;
        /// Attempt of the last request for release.
        uint8 attempt;
        /// Where the last request for release stands.
        ReleaseStatus status;
        /// Round of the last spending; zero if none.
        uint32 spentRound;
        /// Epsilon spent in the run.
        uint48 epsilonSpent;
        /// Delta spent in the run.
        uint48 deltaSpent;
    }

    /// @notice Somebody with the right to read a run's sealed blobs.
    struct Reader {
        /// Run whose blobs may be read.
        uint64 run;
        /// Site that admitted the reader; zero is the consortium's operator.
        uint32 site;
        /// Whether the right still stands.
        bool admitted;
    }

    /// @notice A site asked its airlock for the release of an update.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param dataset Dataset, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param request SHA-256 of what is to leave and of what was checked.
    event ReleaseRequested(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint64 dataset,
        uint8 attempt,
        bytes32 request
    );
    /// @notice A site decided on the release of an update.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param dataset Dataset, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param decision Approved, rejected, expired or returned.
    /// @param reason SHA-256 of the decision and its reasons.
    event ReleaseDecided(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint64 dataset,
        uint8 attempt,
        ReleaseStatus decision,
        bytes32 reason
    );
    /// @notice A site set what may be spent of a dataset's privacy over all runs.
    /// @param dataset Dataset, counted from 1.
    /// @param site Site, by its stable id.
    /// @param epsilonMicro Epsilon, in millionths.
    /// @param deltaPico Delta, in millionths of a millionth.
    /// @param grounds SHA-256 of the grounds; zero where neither was raised and none were given.
    event CeilingSet(
        uint64 indexed dataset,
        uint32 indexed site,
        uint48 epsilonMicro,
        uint48 deltaPico,
        bytes32 grounds
    );
    /// @notice A site recorded what a run has spent of a dataset's privacy so far.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param dataset Dataset, counted from 1.
    /// @param epsilonMicro Epsilon spent in the run so far, in millionths.
    /// @param deltaPico Delta spent in the run so far, in millionths of a millionth.
    event BudgetSpent(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint64 dataset,
        uint48 epsilonMicro,
        uint48 deltaPico
    );
    /// @notice A site said how long blobs made from a dataset are kept.
    /// @param dataset Dataset, counted from 1.
    /// @param site Site, by its stable id.
    /// @param retentionSeconds Period in seconds, from the end of a run.
    event RetentionSet(uint64 indexed dataset, uint32 indexed site, uint32 retentionSeconds);
    /// @notice A site or the operator gave an account the right to read a run's sealed blobs.
    /// @param run Run, counted from 1.
    /// @param site Site that admitted; zero is the consortium's operator.
    /// @param account Account of the reader.
    /// @param reader Reader, counted from 1.
    /// @param key X25519 public key of the reader.
    /// @param letter SHA-256 of the letter that carries the run's keys, sealed to that key.
    /// @param letterLocator Locator of the letter.
    event ReaderAdmitted(
        uint64 indexed run,
        uint32 indexed site,
        address indexed account,
        uint64 reader,
        bytes32 key,
        bytes32 letter,
        bytes32 letterLocator
    );
    /// @notice A right to read ended.
    /// @param run Run, counted from 1.
    /// @param site Site that ended it; zero is the consortium's operator.
    /// @param reader Reader, counted from 1.
    event ReaderDismissed(uint64 indexed run, uint32 indexed site, uint64 indexed reader);
    /// @notice A site erased blobs of a run that were made from a closed dataset.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param dataset Dataset, counted from 1.
    /// @param blobs Number of blobs.
    /// @param list SHA-256 of the list of their commitments.
    /// @param grounds SHA-256 of the grounds.
    event BlobsErased(
        uint64 indexed run,
        uint32 indexed site,
        uint64 indexed dataset,
        uint32 blobs,
        bytes32 list,
        bytes32 grounds
    );
}
