// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What a rounds module speaks of
/// @notice Phases, parameters, states, members and proposals. Times are in seconds.
interface IRoundsTypes {
    /// @notice What a run is doing.
    enum Phase {
        /// Unknown run.
        None,
        /// Sites consent.
        Gathering,
        /// The cohort submits commitments.
        Collecting,
        /// Bytes are revealed, an aggregator proposes.
        Proposing,
        /// Members attest or object.
        Attesting,
        /// The round is final; late votes are taken, any member may begin the next round.
        Final,
        /// Every round is final, or the cohort ended the run with a final one.
        Completed,
        /// Ended early; earlier rounds stay final.
        Aborted
    }

    /// @notice What the plan fixes for the contract. Times in seconds.
    struct Parameters {
        /// Number of rounds.
        uint32 rounds;
        /// Time for consents before the run starts.
        uint32 consentSeconds;
        /// Time for submissions of an attempt.
        uint32 collectSeconds;
        /// Time to publish bytes after submissions closed.
        uint32 revealSeconds;
        /// Time after the reveal in which only the turn's aggregator may propose.
        uint32 graceSeconds;
        /// Time for a proposal, after the reveal.
        uint32 proposeSeconds;
        /// Time for attestations of a proposal.
        uint32 attestSeconds;
        /// Proposals of an attempt, at most.
        uint8 maxProposals;
        /// Attempts at a round, at most.
        uint8 maxAttempts;
        /// Share of the cohort that must attest, 5000 to 10000: the quorum is above this share.
        uint16 quorumBasisPoints;
        /// Consents without which no run starts.
        uint16 minimumSites;
        /// Consents on which the run starts at once.
        uint16 targetSites;
        /// Sites that may ever consent.
        uint16 maximumSites;
        /// Submissions without which an attempt fails.
        uint16 minimumUpdates;
        /// Submissions on which the stage closes at once; zero waits for the whole cohort.
        uint16 targetUpdates;
        /// How long the stage stays open after these came, in percent of the time that they took; zero
        /// closes it at once. It closes when the whole cohort has submitted, or at its own deadline.
        uint16 stragglerPercent;
        /// Highest weight of one update, in examples.
        uint64 maximumExamples;
        /// Most credits one round may grant.
        uint64 creditsPerRound;
    }

    /// @notice Where a run stands. Times in seconds.
    struct State {
        /// What the run is doing.
        Phase phase;
        /// Round at hand, counted from 1; zero before the first.
        uint32 round;
        /// Attempt at hand, counted from 1.
        uint8 attempt;
        /// Proposal at hand, counted from 1; zero while collecting.
        uint8 proposal;
        /// Start of the phase; in Final, of the attesting that led there.
        uint40 since;
        /// End of the phase, which a wait for stragglers brings forward, after which `advance` moves on; in Final that of the attesting, which no
        /// longer binds: `advance` moves on at once.
        uint40 deadline;
        /// Sites in the cohort, frozen at the attempt's start.
        uint16 cohort;
        /// Roster length at the attempt's start: higher positions are not in the cohort.
        uint16 rosterLength;
        /// Submissions on which the stage closes at once, or on which the wait for stragglers begins, and
        /// during that wait all that may come; zero if too few may still come.
        uint16 expected;
        /// Submissions to the attempt.
        uint16 submitted;
        /// Attestations of the proposal at hand.
        uint16 attested;
        /// Objections to the proposal at hand.
        uint16 objected;
        /// Attestations that make a proposal final.
        uint16 quorum;
        /// Rounds that are final.
        uint32 finalRounds;
        /// Credits granted by final rounds.
        uint64 creditsGranted;
        /// Sites consenting now.
        uint16 consenting;
    }

    /// @notice A site's place in a run.
    struct Member {
        /// Position in the roster, from 0, in the order of consents.
        uint16 position;
        /// Whether the consent stands.
        bool consenting;
        /// Highest weight of the site's updates, in examples.
        uint40 maximumExamples;
        /// Time in seconds when the grant ends.
        uint40 expiry;
        /// Grant of the consent.
        uint64 grant;
        /// Round of the last submission; zero if none.
        uint32 submittedRound;
        /// Attempt of the last submission.
        uint8 submittedAttempt;
        /// Round of the last vote, for or against; zero if none.
        uint32 attestedRound;
        /// Attempt of the last vote.
        uint8 attestedAttempt;
        /// Proposal of the last vote.
        uint8 attestedProposal;
    }

    /// @notice What an aggregator proposes to make final.
    struct Proposal {
        /// Run the proposal is for.
        uint64 run;
        /// Site that proposes.
        uint32 site;
        /// Round at hand, counted from 1; zero before the first.
        uint32 round;
        /// Attempt at hand, counted from 1.
        uint8 attempt;
        /// Number of the proposal in the attempt, counted from 1.
        uint8 number;
        /// Submissions included; with invalid and unavailable ones, all submissions.
        uint16 included;
        /// Submissions whose bytes the intake refuses.
        uint16 invalid;
        /// Submissions whose bytes nobody served.
        uint16 unavailable;
        /// Cumulative credits of all sites.
        uint64 creditsTotal;
        /// SHA-256 of the round record.
        bytes32 record;
        /// Locator of the round record.
        bytes32 recordLocator;
        /// SHA-256 of the next state: model and server state.
        bytes32 state;
        /// Root over every site's cumulative credits.
        bytes32 creditsRoot;
        /// What does not count: two bits for each roster position, lowest bits first: 0 counts if it
        /// submitted, 2 invalid, 3 unavailable; trailing zero bytes are left off.
        bytes inclusion;
    }
}
