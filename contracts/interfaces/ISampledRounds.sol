// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Samples of the cohort
/// @notice What the sampled rounds module adds: of each attempt's cohort only a sample submits, drawn by a
/// seed that nobody can choose; all of the cohort recompute and vote.
/// @dev Parameters: abi.encode(Parameters, uint16 sampledSites).
interface ISampledRounds {
    /// @notice Where the draw of an attempt's sample stands.
    struct Sample {
        /// Sites to be drawn for each attempt.
        uint16 size;
        /// Block whose hash draws, or drew; zero where the whole cohort submits.
        uint64 source;
        /// Lowest 128 bits of that hash; zero until drawn.
        uint128 seed;
    }

    /// @notice The sample of an attempt was drawn, or its draw was put off.
    /// @param run Run, counted from 1.
    /// @param round Round, counted from 1.
    /// @param attempt Attempt at the round, counted from 1.
    /// @param source Block whose hash drew or, if put off, will draw.
    /// @param seed Lowest 128 bits of that hash; zero if put off.
    event SampleDrawn(uint64 indexed run, uint32 indexed round, uint8 attempt, uint64 source, uint128 seed);

    /// @notice Thrown when the site is not in the sample of the attempt, or the sample is not drawn yet.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    error SiteNotInSample(uint64 run, uint32 site);
    /// @notice Thrown when there is no sample to draw, or it has been drawn.
    /// @param run Run, counted from 1.
    error SampleSettled(uint64 run);
    /// @notice Thrown when a sample is drawn in the block whose hash draws it.
    /// @param run Run, counted from 1.
    /// @param source Block whose hash draws.
    error SampleAhead(uint64 run, uint64 source);

    /// @notice Draw the sample of the attempt at hand from the hash of the block in which it began, which
    /// nobody knew then; by any member, the researcher or an operator. After 256 blocks the chain has
    /// forgotten the hash: the draw then hangs on the block of this call, and another call has to follow.
    /// @param run Run, counted from 1.
    function draw(uint64 run) external;

    /// @notice Read where the draw of the attempt at hand stands.
    /// @param run Run, counted from 1.
    /// @return The sample.
    function sampleOf(uint64 run) external view returns (Sample memory);

    /// @notice Tell whether a roster position may submit to the attempt at hand.
    /// @param run Run, counted from 1.
    /// @param position Position in the roster, from 0.
    /// @return Whether it is in the sample, or there is none.
    function isSampled(uint64 run, uint16 position) external view returns (bool);
}
