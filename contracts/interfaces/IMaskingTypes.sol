// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the ledger of masked rounds speaks of
/// @notice Stages of an attempt, and what sites record in them. Times are in seconds.
/// @dev Every event below extends one running hash, which begins as zero, in the form of IRoundsEvents:
/// h' = keccak256(h, topics, data) with the last 6 of its 32 bytes set to zero.
interface IMaskingTypes {
    /// @notice What a masked attempt waits for.
    enum Stage {
        /// No attempt collects submissions, or awaits a proposal or votes on it.
        None,
        /// Sites advertise keys, until an act closes the stage.
        Keys,
        /// Sites that advertised deal shares of their secrets.
        Shares,
        /// Sites that dealt say whose shares they hold.
        Holdings,
        /// Sites that said so submit masked updates, to the rounds module.
        Masked,
        /// An aggregator proposes which updates count, members affirm.
        Freezing,
        /// A set is frozen; sites disclose shares for it.
        Unmasking
    }

    /// @notice How long the stages last, each counted from its own beginning.
    struct MaskingTimes {
        /// Time to advertise keys, from the attempt's beginning.
        uint32 keySeconds;
        /// Time to deal shares, from the closing of the keys.
        uint32 shareSeconds;
        /// Time to say whose shares are held.
        uint32 holdingSeconds;
        /// Time for members to affirm a set, before another may be proposed.
        uint32 freezeSeconds;
    }

    /// @notice Where a masked attempt stands.
    struct MaskingState {
        /// Round at hand, counted from 1.
        uint32 round;
        /// Attempt at hand, counted from 1.
        uint8 attempt;
        /// What the attempt waits for.
        Stage stage;
        /// End of the stage; of a set that was proposed, of its affirmations, until that is over.
        uint40 deadline;
        /// Sites that advertised keys.
        uint16 advertised;
        /// Sites that dealt shares.
        uint16 dealt;
        /// Sites that said whose shares they hold.
        uint16 held;
        /// Affirmations of the set that was proposed last.
        uint16 affirmed;
        /// Number of the set that was proposed last; zero if none was.
        uint8 number;
        /// keccak256 of the frozen inclusion bytes; zero until they are frozen.
        bytes32 frozen;
        /// Block that holds `KeysClosed`; zero before.
        uint64 seedBlock;
    }

    /// @notice A site of the cohort advertised its public keys of an attempt.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param maskKey X25519 public key that agrees on masks.
    /// @param channelKey X25519 public key that agrees on the encryption of shares.
    event KeysAdvertised(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint8 attempt,
        bytes32 maskKey,
        bytes32 channelKey
    );
    /// @notice No more keys are taken; the hash of the block that holds this event draws who masks with whom.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param advertised Sites that advertised keys.
    event KeysClosed(uint64 indexed run, uint32 indexed round, uint8 attempt, uint16 advertised);
    /// @notice A site dealt its neighbours shares of its secrets.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param commitment SHA-256 of the blob with the encrypted shares.
    /// @param locator Locator of that blob.
    event SharesDealt(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint8 attempt,
        bytes32 commitment,
        bytes32 locator
    );
    /// @notice A site said whose shares it holds.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param holding A bit for each neighbour.
    event SharesHeld(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint8 attempt,
        bytes holding
    );
    /// @notice An aggregator proposed which masked updates count.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param number Number of the set in the attempt, counted from 1.
    /// @param inclusion What does not count, as in a proposal.
    event SetProposed(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint8 attempt,
        uint8 number,
        bytes inclusion
    );
    /// @notice A member affirmed a set.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param number Number of the set in the attempt, counted from 1.
    event SetAffirmed(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint8 attempt,
        uint8 number
    );
    /// @notice A quorum affirmed a set: the attempt unmasks this one or none.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param number Number of the set in the attempt, counted from 1.
    event SetFrozen(uint64 indexed run, uint32 indexed round, uint8 attempt, uint8 number);
    /// @notice A site disclosed one share of each neighbour, for the frozen set.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param commitment SHA-256 of the blob with the shares.
    /// @param locator Locator of that blob.
    event SharesDisclosed(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed site,
        uint8 attempt,
        bytes32 commitment,
        bytes32 locator
    );
}
