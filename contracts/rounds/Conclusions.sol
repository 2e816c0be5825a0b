// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roles} from "../Roles.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {Guards} from "./Guards.sol";
import {Membership} from "./Membership.sol";
import {Place} from "./Place.sol";

/// @title Ends of runs before their last round
/// @notice Lets the cohort of a final round end the run with it.
abstract contract Conclusions is Guards {
    /// @inheritdoc IRounds
    function conclude(uint64 run, uint32 site, uint32 round) external {
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        Record storage record = _records[run];
        Place place = _effective(record, record.place, record.progress);
        _requirePhase(run, place, Phase.Final);
        if (place.round() != round) _revertPlace(run, place);
        Membership member = record.members[site];
        if (!member.tookPart(place.rosterLength(), place.attemptKey())) revert SiteNotInCohort(run, site);
        if (record.concluding[site] == round) revert AlreadyConcluding(run, round, site);
        record.concluding[site] = round;
        uint16 votes = record.tally.concludingRound == round ? record.tally.concluding + 1 : 1;
        (record.tally.concludingRound, record.tally.concluding) = (round, votes);
        _note4(record, abi.encode(record.progress.head(), RunConcluding.selector, run, round, site));
        if (votes == _quorumToConclude(record, place)) record.place = _complete(run, record, _settle(run, record));
    }

    function _quorumToConclude(Record storage, Place place) internal view virtual returns (uint16) {
        return place.quorum();
    }
}
