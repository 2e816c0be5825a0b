// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsTypes} from "./IRoundsTypes.sol";

/// @title Why a rounds module refuses an act
/// @notice Errors carry the ids concerned and what is the case instead.
interface IRoundsErrors is IRoundsTypes {
    /// @notice Thrown when a caller other than the catalogue of runs starts a run.
    /// @param caller Account or contract that called.
    error CallerNotCatalogue(address caller);
    /// @notice Thrown when a caller other than the data-access ledger ends a consent.
    /// @param caller Account or contract that called.
    error CallerNotDataAccess(address caller);
    /// @notice Thrown when parameters are out of bounds; names the field.
    /// @param field Name of the parameter, padded with zeros.
    /// @param value Value given.
    error ParameterInvalid(bytes32 field, uint256 value);
    /// @notice Thrown when an act does not fit the run's phase.
    /// @param run Run, counted from 1.
    /// @param actual What it is instead.
    error PhaseWrong(uint64 run, Phase actual);
    /// @notice Thrown when an act names another round, attempt or proposal than the current one.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param proposal Proposal of the attempt, counted from 1.
    error PlaceWrong(uint64 run, uint32 round, uint8 attempt, uint8 proposal);
    /// @notice Thrown when a submission names a stage that the module does not have.
    /// @param run Run, counted from 1.
    /// @param stage Stage of submissions, from 0.
    error StageUnknown(uint64 run, uint8 stage);
    /// @notice Thrown when an act comes after its deadline.
    /// @param run Run, counted from 1.
    /// @param deadline End of the time allowed, in seconds.
    error DeadlinePassed(uint64 run, uint40 deadline);
    /// @notice Thrown when `advance` comes before the deadline.
    /// @param run Run, counted from 1.
    /// @param deadline End of the time allowed, in seconds.
    error DeadlineAhead(uint64 run, uint40 deadline);
    /// @notice Thrown when the site is not in the cohort of the attempt.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    error SiteNotInCohort(uint64 run, uint32 site);
    /// @notice Thrown when a site already consents.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    error ConsentAlreadyGiven(uint64 run, uint32 site);
    /// @notice Thrown when the site does not consent.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    error ConsentMissing(uint64 run, uint32 site);
    /// @notice Thrown when a consent is to be ended although it is in order.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    error ConsentInOrder(uint64 run, uint32 site);
    /// @notice Thrown when no more sites may consent.
    /// @param run Run, counted from 1.
    /// @param maximumSites Most positions the roster may have.
    error RosterFull(uint64 run, uint16 maximumSites);
    /// @notice Thrown when a site's grant ended.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param expiry Time in seconds when the grant ends.
    error ConsentExpired(uint64 run, uint32 site, uint40 expiry);
    /// @notice Thrown when a site submits twice in an attempt.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    error AlreadySubmitted(uint64 run, uint32 round, uint32 site);
    /// @notice Thrown when a site attests or objects twice to a proposal.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    error AlreadyAttested(uint64 run, uint32 round, uint32 site);
    /// @notice Thrown when a site votes twice to end the run with a round.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param site Site, by its stable id.
    error AlreadyConcluding(uint64 run, uint32 round, uint32 site);
    /// @notice Thrown when a commitment, locator or witness is zero.
    error CommitmentZero();
    /// @notice Thrown when a weight is zero or above the consent's bound.
    /// @param weight Weight of the update, in examples.
    /// @param maximum Bound of the consent, in examples.
    error WeightInvalid(uint64 weight, uint64 maximum);
    /// @notice Thrown when another aggregator than the turn's proposes within the grace period.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @param position Roster position whose turn it is.
    error TurnOfAnother(uint64 run, uint32 site, uint16 position);
    /// @notice Thrown when a proposal's counts do not add up to the submissions.
    /// @param run Run, counted from 1.
    /// @param submitted Number of submissions.
    /// @param counted Sum of the counts given.
    error CountsInvalid(uint64 run, uint16 submitted, uint256 counted);
    /// @notice Thrown when a proposal calls bytes unavailable before the reveal is over.
    /// @param run Run, counted from 1.
    /// @param until Time in seconds when the reveal ends.
    error RevealUnfinished(uint64 run, uint40 until);
    /// @notice Thrown when a round grants fewer credits than before or more than the plan allows.
    /// @param run Run, counted from 1.
    /// @param creditsTotal Cumulative credits of all sites, whole.
    /// @param maximum Highest cumulative total allowed now.
    error CreditsOutOfBounds(uint64 run, uint64 creditsTotal, uint64 maximum);
    /// @notice Thrown when the caller is no member of the run.
    /// @param run Run, counted from 1.
    /// @param caller Account or contract that called.
    error CallerNotMember(uint64 run, address caller);
}
