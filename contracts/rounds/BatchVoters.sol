// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBatchedRounds} from "../interfaces/IBatchedRounds.sol";
import {BatchCommittee, BatchCommittees} from "./BatchCommittee.sol";
import {BatchSeats} from "./BatchSeats.sol";
import {Membership} from "./Membership.sol";
import {Place} from "./Place.sol";
import {Progress} from "./Progress.sol";
import {RunningLog} from "./RunningLog.sol";

/// @title Committees that vote on proposals
/// @notice Draws who votes while a proposal is not final; afterwards the whole cohort is heard.
abstract contract BatchVoters is BatchSeats {
    uint256 private constant _MOST_DRAWS = 256;

    mapping(uint64 run => BatchCommittee) private _committees;

    /// @inheritdoc IBatchedRounds
    function committeeOf(uint64 run) external view returns (uint256) {
        return BatchCommittee.unwrap(_committees[run]);
    }

    function _started(uint64 run, bytes calldata parameters) internal override {
        (, uint16 size) = abi.decode(parameters, (Parameters, uint16));
        if (size > BatchCommittees.MAXIMUM) revert ParameterInvalid("committeeSites", size);
        _committees[run] = BatchCommittees.sized(size);
    }

    function _proposed(Proposal calldata proposal) internal override {
        _committees[proposal.run] = _committees[proposal.run].proposed(block.number);
    }

    /// @dev A committee votes while the proposal is not final; the first vote draws it.
    function _admitVoter(uint64 run, uint32 site, Membership member, Place place, Progress progress)
        internal
        override
        returns (Progress)
    {
        BatchCommittee committee = _committees[run];
        if (_votersOf(run, place.cohort()) == place.cohort()) return progress;
        if (committee.drawn() == 0) (committee, progress) = _draw(run, place, committee, progress);
        if (!committee.holds(member.position())) revert SiteNotInCommittee(run, site);
        return progress;
    }

    /// @dev A committee decides on proposals; a run ends early by the whole cohort only.
    function _quorumToConclude(Record storage record, Place place) internal view override returns (uint16) {
        return _quorumOf(record, place.cohort());
    }

    function _votersOf(uint64 run, uint16 cohort) internal view override returns (uint16) {
        uint256 size = _committees[run].size();
        return size == 0 || size > cohort ? cohort : uint16(size);
    }

    function _draw(uint64 run, Place place, BatchCommittee committee, Progress progress)
        private
        returns (BatchCommittee, Progress)
    {
        uint256 seedBlock = committee.seedBlock();
        if (seedBlock == 0) revert CommitteeUndrawn(run, committee.field());
        (uint256 members, uint256 number) = _drawn(run, place, committee.size(), blockhash(seedBlock));
        committee = committee.filled(members, number);
        _committees[run] = committee;
        progress = progress.extended(
            RunningLog.log3(
                abi.encode(
                    progress.head(),
                    CommitteeDrawn.selector,
                    run,
                    place.round(),
                    place.attempt(),
                    place.proposal(),
                    seedBlock,
                    number,
                    members
                )
            )
        );
        return (committee, progress);
    }

    function _drawn(uint64 run, Place place, uint256 size, bytes32 blockHash)
        private
        view
        returns (uint256 members, uint256 number)
    {
        bytes32 seed = keccak256(abi.encode(blockHash, run, place.round(), place.attempt(), place.proposal()));
        uint256 length = place.rosterLength();
        for (uint256 i = 0; i < _MOST_DRAWS && number < size; ++i) {
            uint256 position = uint256(keccak256(abi.encode(seed, i))) % length;
            if (!_isSeated(run, position) || BatchCommittees.among(members, number, position)) continue;
            members = BatchCommittees.plus(members, number++, position);
        }
    }
}
