// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PlainRounds} from "./PlainRounds.sol";
import {IDataAccess} from "./interfaces/IDataAccess.sol";
import {IRuns} from "./interfaces/IRuns.sol";
import {ISampledRounds} from "./interfaces/ISampledRounds.sol";
import {ISiteRegistry} from "./interfaces/ISiteRegistry.sol";
import {Membership} from "./rounds/Membership.sol";
import {Place} from "./rounds/Place.sol";
import {Progress} from "./rounds/Progress.sol";
import {RunningLog} from "./rounds/RunningLog.sol";
import {Samples} from "./rounds/Samples.sol";

/// @title Rounds of samples: as the plain ones, but only some of the cohort train
/// @notice The seed is the hash of the block in which the attempt began.
contract SampledRounds is PlainRounds, ISampledRounds {
    mapping(uint64 run => Sample) private _samples;

    /// @notice Tie the module to the register, the data-access ledger and the catalogue of runs.
    constructor(ISiteRegistry registry, IDataAccess dataAccess, IRuns runs)
        PlainRounds(registry, dataAccess, runs)
    {}

    /// @inheritdoc ISampledRounds
    function draw(uint64 run) external {
        Record storage record = _records[run];
        (Place place, Progress progress) = (record.place, record.progress);
        _requirePhase(run, _effective(record, place, progress), Phase.Collecting);
        _requireMember(run);
        Sample memory sample = _samples[run];
        if (sample.source == 0 || sample.seed != 0) revert SampleSettled(run);
        if (sample.source == block.number) revert SampleAhead(run, sample.source);
        sample.seed = uint128(uint256(blockhash(sample.source)));
        // The chain has forgotten the block, or never says zero.
        if (sample.seed == 0) sample.source = uint64(block.number);
        _samples[run] = sample;
        record.progress = progress.extended(
            RunningLog.log3(
                abi.encode(
                    progress.head(),
                    SampleDrawn.selector,
                    run,
                    place.round(),
                    place.attempt(),
                    sample.source,
                    sample.seed
                )
            )
        );
    }

    /// @inheritdoc ISampledRounds
    function sampleOf(uint64 run) external view returns (Sample memory) {
        return _samples[run];
    }

    /// @inheritdoc ISampledRounds
    function isSampled(uint64 run, uint16 position) external view returns (bool) {
        return _isSampled(run, _records[run].place, position);
    }

    function _started(uint64 run, bytes calldata parameters) internal override {
        (Parameters memory p, uint16 size) = abi.decode(parameters, (Parameters, uint16));
        uint16 least = p.targetUpdates == 0 ? p.minimumUpdates : p.targetUpdates;
        if (size < least || size > p.maximumSites) revert ParameterInvalid("sampledSites", size);
        _samples[run].size = size;
    }

    /// @dev The sample hangs on the hash of this very block, which nobody knows yet.
    function _awaiting(uint64 run, Record storage record, Place place, uint16 cohort)
        internal
        override
        returns (Place)
    {
        uint16 size = _samples[run].size;
        bool isDrawn = size < cohort;
        _samples[run] = Sample(size, isDrawn ? uint64(block.number) : 0, 0);
        return super._awaiting(run, record, place, isDrawn ? size : cohort);
    }

    /// @dev Nobody waits for a site outside the sample; before the draw nobody knows who that is.
    function _isAwaited(uint64 run, Place place, Membership member) internal view override returns (bool) {
        return _isSampled(run, place, member.position());
    }

    function _counted(uint64 run, uint32 site, Place place, Progress progress)
        internal
        override
        returns (Progress)
    {
        if (!_isSampled(run, place, _records[run].members[site].position())) revert SiteNotInSample(run, site);
        return super._counted(run, site, place, progress);
    }

    /// @dev Positions whose consent had ended when the cohort was frozen are drawn, too; for each of them one
    /// site more is in the sample, so that never fewer may submit than are awaited.
    function _isSampled(uint64 run, Place place, uint16 position) private view returns (bool) {
        Sample memory sample = _samples[run];
        if (sample.source == 0) return true;
        uint256 length = place.rosterLength();
        if (sample.seed == 0 || position >= length) return false;
        bytes32 key = keccak256(abi.encode(run, place.attemptKey(), sample.seed));
        return Samples.rankOf(key, position, length) < sample.size + length - place.cohort();
    }
}
