// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roles} from "../Roles.sol";
import {IDataAccess} from "../interfaces/IDataAccess.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {ISiteRegistry} from "../interfaces/ISiteRegistry.sol";
import {Membership} from "./Membership.sol";
import {Place} from "./Place.sol";
import {Progress} from "./Progress.sol";
import {Transitions} from "./Transitions.sol";

/// @title Consents of sites to runs
/// @notice Lets sites into a run under their grants, and out again.
abstract contract Consents is Transitions {
    /// @inheritdoc IRounds
    function consent(uint64 run, uint32 site, uint64 grant) external {
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        Record storage record = _records[run];
        Place place = record.place;
        _requireJoinable(run, place);
        Membership member = record.members[site];
        if (member.consenting()) revert ConsentAlreadyGiven(run, site);
        uint16 position = _takePosition(run, record, place, member);
        _bind(run, site, grant, position);
        _setSeat(run, position, true);
        uint16 consenting = ++record.tally.consenting;
        if (place.phase() == Phase.Gathering && consenting == record.bounds.targetSites) {
            record.place = _beginAttempt(run, record, place, _FIRST, _FIRST, 0);
        }
    }

    /// @inheritdoc IRounds
    function withdraw(uint64 run, uint32 site) external {
        _REGISTRY.requireNode(site, msg.sender, Roles.SITE);
        Membership member = _requireConsent(run, site);
        _end(run, site, member);
        _DATA_ACCESS.releaseConsent(member.grant(), run);
    }

    /// @inheritdoc IRounds
    function drop(uint64 run, uint32 site) external {
        Membership member = _requireConsent(run, site);
        bool inOrder = block.timestamp < member.expiry()
            && _REGISTRY.siteOf(site).standing == ISiteRegistry.Standing.Active
            && _DATA_ACCESS.accessOf(member.grant()).status == IDataAccess.AccessStatus.Granted;
        if (inOrder) revert ConsentInOrder(run, site);
        _end(run, site, member);
        _DATA_ACCESS.releaseConsent(member.grant(), run);
    }

    /// @inheritdoc IRounds
    function endConsent(uint64 run, uint32 site) external {
        if (msg.sender != address(_DATA_ACCESS)) revert CallerNotDataAccess(msg.sender);
        Membership member = _records[run].members[site];
        // A revocation must never fail because the consent ended on another way before.
        if (member.consenting()) _end(run, site, member);
    }

    /// @dev For modules in which not every member of the cohort submits.
    function _isAwaited(uint64, Place, Membership) internal view virtual returns (bool) {
        return true;
    }

    /// @dev For modules that keep whose consent stands by roster position.
    function _setSeat(uint64 run, uint16 position, bool taken) internal virtual {}

    /// @dev A position that no attempt has frozen yet is taken up again, so that a site that comes
    /// and goes cannot use up the roster.
    function _takePosition(uint64 run, Record storage record, Place place, Membership member)
        private
        returns (uint16 position)
    {
        if (member.known() && member.position() >= place.rosterLength()) return member.position();
        position = record.tally.rosterCount;
        uint16 maximumSites = record.bounds.maximumSites;
        if (position == maximumSites) revert RosterFull(run, maximumSites);
        record.tally.rosterCount = position + 1;
    }

    function _bind(uint64 run, uint32 site, uint64 grant, uint16 position) private {
        Record storage record = _records[run];
        (uint64 examples, uint40 expiry) = _DATA_ACCESS.bindConsent(grant, run, site);
        uint64 cap = record.bounds.maximumExamples;
        uint40 maximumExamples = uint40(examples < cap ? examples : cap);
        record.members[site] = record.members[site].consented(position, maximumExamples, expiry, grant);
        _note4(
            record,
            abi.encode(
                record.progress.head(),
                ConsentGiven.selector,
                run,
                site,
                grant,
                position,
                maximumExamples,
                expiry
            )
        );
    }

    /// @dev Nobody waits any more for a member that has not submitted.
    function _end(uint64 run, uint32 site, Membership member) private {
        Record storage record = _records[run];
        record.members[site] = member.ended();
        _setSeat(run, member.position(), false);
        --record.tally.consenting;
        _note4(record, abi.encode(record.progress.head(), ConsentEnded.selector, run, site, member.grant()));
        (Place place, Progress progress) = (record.place, record.progress);
        if (_effective(record, place, progress).phase() != Phase.Collecting) return;
        if (member.position() >= place.rosterLength() || _submittedKeyOf(run, member) == place.attemptKey()) return;
        if (!_isAwaited(run, place, member)) return;
        place = place.minusAwaited(record.pace.minimumUpdates);
        record.place = place;
        // After the deadline it is `advance` that closes the stage.
        if (block.timestamp <= _deadlineOf(place, progress)) {
            record.progress = _closedIfComplete(record, place, progress);
        }
    }

    function _requireConsent(uint64 run, uint32 site) private view returns (Membership member) {
        member = _records[run].members[site];
        if (!member.consenting()) revert ConsentMissing(run, site);
    }

    function _requireJoinable(uint64 run, Place place) private view {
        Phase phase = place.phase();
        if (phase == Phase.None || phase == Phase.Completed || phase == Phase.Aborted) revert PhaseWrong(run, phase);
        if (phase == Phase.Gathering && block.timestamp > place.deadline()) {
            revert DeadlinePassed(run, place.deadline());
        }
    }
}
