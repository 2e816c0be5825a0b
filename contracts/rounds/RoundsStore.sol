// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDataAccess} from "../interfaces/IDataAccess.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {IRuns} from "../interfaces/IRuns.sol";
import {ISiteRegistry} from "../interfaces/ISiteRegistry.sol";
import {Membership} from "./Membership.sol";
import {Place} from "./Place.sol";
import {Progress} from "./Progress.sol";

/// @title What a rounds module keeps of its runs, and its views
/// @notice Holds the state of runs; decides nothing.
abstract contract RoundsStore is IRounds {
    /// @dev Frozen at the start; what every proposal needs, in one slot. Times in seconds.
    struct Pace {
        uint32 collectSeconds;
        uint32 revealSeconds;
        uint32 graceSeconds;
        uint32 proposeSeconds;
        uint32 attestSeconds;
        uint64 creditsPerRound;
        uint16 minimumUpdates;
        uint8 maxProposals;
        uint8 maxAttempts;
    }

    /// @dev Frozen at the start; what only consents and new rounds need, in one slot.
    struct Bounds {
        uint32 rounds;
        uint32 consentSeconds;
        uint16 quorumBasisPoints;
        uint16 minimumSites;
        uint16 targetSites;
        uint16 maximumSites;
        uint16 targetUpdates;
        uint16 stragglerPercent;
        uint64 maximumExamples;
    }

    /// @dev What outlives attempts, in one slot. `last...` describe the last final proposal;
    /// `concluding` counts the votes to end the run with a round.
    struct Tally {
        uint16 consenting;
        uint16 rosterCount;
        uint48 lastKey;
        uint16 lastRosterLength;
        uint32 concludingRound;
        uint16 concluding;
    }

    struct Record {
        Place place;
        Progress progress;
        Tally tally;
        Pace pace;
        Bounds bounds;
        mapping(uint32 site => Membership) members;
        mapping(uint32 round => bytes32 settlement) settlements;
        mapping(uint32 site => uint32 round) concluding;
    }

    /// @dev Number of the first attempt at a round and of the first proposal in an attempt.
    uint8 internal constant _FIRST = 1;

    ISiteRegistry internal immutable _REGISTRY;
    IDataAccess internal immutable _DATA_ACCESS;
    IRuns internal immutable _RUNS;

    mapping(uint64 run => Record) internal _records;

    /// @notice Tie the module to the register, the data-access ledger and the catalogue of runs.
    constructor(ISiteRegistry registry, IDataAccess dataAccess, IRuns runs) {
        _REGISTRY = registry;
        _DATA_ACCESS = dataAccess;
        _RUNS = runs;
    }

    /// @inheritdoc IRounds
    function stateOf(uint64 run) external view returns (State memory state) {
        Record storage record = _records[run];
        Place stored = record.place;
        Progress progress = record.progress;
        Place place = _effective(record, stored, progress);
        state.phase = place.phase();
        state.round = place.round();
        state.attempt = place.attempt();
        state.proposal = place.proposal();
        state.since = _since(record, place);
        state.deadline = _deadlineOf(place, progress);
        state.cohort = place.cohort();
        state.rosterLength = place.rosterLength();
        state.expected = _expected(place, progress);
        if (stored.phase() == Phase.Collecting) progress = progress.withoutVotes();
        state.submitted = progress.submitted();
        state.attested = progress.attested();
        state.objected = progress.objected();
        state.quorum = place.quorum();
        state.finalRounds = _finalRounds(record, stored);
        state.creditsGranted = place.granted();
        state.consenting = record.tally.consenting;
    }

    /// @inheritdoc IRounds
    function parametersOf(uint64 run) external view returns (Parameters memory parameters) {
        Pace memory pace = _records[run].pace;
        Bounds memory bounds = _records[run].bounds;
        parameters.rounds = bounds.rounds;
        parameters.consentSeconds = bounds.consentSeconds;
        parameters.collectSeconds = pace.collectSeconds;
        parameters.revealSeconds = pace.revealSeconds;
        parameters.graceSeconds = pace.graceSeconds;
        parameters.proposeSeconds = pace.proposeSeconds;
        parameters.attestSeconds = pace.attestSeconds;
        parameters.maxProposals = pace.maxProposals;
        parameters.maxAttempts = pace.maxAttempts;
        parameters.quorumBasisPoints = bounds.quorumBasisPoints;
        parameters.minimumSites = bounds.minimumSites;
        parameters.targetSites = bounds.targetSites;
        parameters.maximumSites = bounds.maximumSites;
        parameters.minimumUpdates = pace.minimumUpdates;
        parameters.targetUpdates = bounds.targetUpdates;
        parameters.stragglerPercent = bounds.stragglerPercent;
        parameters.maximumExamples = bounds.maximumExamples;
        parameters.creditsPerRound = pace.creditsPerRound;
    }

    /// @inheritdoc IRounds
    function memberOf(uint64 run, uint32 site) external view returns (Member memory member) {
        Membership held = _records[run].members[site];
        member.position = held.position();
        member.consenting = held.consenting();
        member.maximumExamples = held.maximumExamples();
        member.expiry = held.expiry();
        member.grant = held.grant();
        uint40 submittedKey = _submittedKeyOf(run, held);
        member.submittedRound = uint32(submittedKey >> 8);
        member.submittedAttempt = uint8(submittedKey);
        member.attestedRound = uint32(held.attestedKey() >> 16);
        member.attestedAttempt = uint8(held.attestedKey() >> 8);
        member.attestedProposal = uint8(held.attestedKey());
    }

    /// @inheritdoc IRounds
    function runningHashOf(uint64 run) external view returns (bytes32) {
        return _records[run].progress.head();
    }

    /// @inheritdoc IRounds
    function settlementOf(uint64 run, uint32 round) external view returns (bytes32) {
        Record storage record = _records[run];
        Place place = record.place;
        // A claim pays for each slot: the counts matter for the round at hand only.
        bool isFinal = round < place.round() || (round == place.round() && _isFinal(record, place));
        return isFinal ? record.settlements[round] : bytes32(0);
    }

    /// @dev The attempt a member last submitted to; a module may learn of submissions on other ways.
    function _submittedKeyOf(uint64, Membership member) internal view virtual returns (uint40) {
        return member.submittedKey();
    }

    /// @dev Where the run stands now. Two moves store no place, so that the act that causes one costs no
    /// more than any other: that submissions have closed is marked in `Progress`, finality follows from
    /// its counts. The next act that stores the place settles them; see `Transitions`.
    function _effective(Record storage record, Place place, Progress progress) internal view returns (Place) {
        Phase phase = place.phase();
        if (phase == Phase.Collecting && progress.hasClosed()) {
            Pace storage pace = record.pace;
            uint40 closing = place.deadline() - progress.secondsLeft();
            return place.moved(Phase.Proposing, _FIRST, closing + pace.revealSeconds + pace.proposeSeconds);
        }
        return phase == Phase.Attesting && progress.attested() >= place.quorum() ? place.finalized() : place;
    }

    /// @dev The end of the phase; a wait for stragglers ends before the stage's own deadline.
    function _deadlineOf(Place place, Progress progress) internal pure returns (uint40) {
        bool waits = place.phase() == Phase.Collecting && progress.isWaiting();
        return waits ? place.deadline() - progress.secondsLeft() : place.deadline();
    }

    /// @dev The start of a phase follows from its end, which saves the slot 40 bits.
    function _since(Record storage record, Place place) internal view returns (uint40) {
        Phase phase = place.phase();
        if (phase == Phase.Gathering) return place.deadline() - record.bounds.consentSeconds;
        if (phase == Phase.Collecting) return place.deadline() - record.pace.collectSeconds;
        if (phase == Phase.Proposing) {
            // Bytes are revealed once, before an attempt's first proposal.
            uint40 reveal = place.proposal() == 1 ? record.pace.revealSeconds : 0;
            return place.deadline() - record.pace.proposeSeconds - reveal;
        }
        if (phase == Phase.Attesting || phase == Phase.Final) return place.deadline() - record.pace.attestSeconds;
        return place.deadline();
    }

    /// @dev Before a wait for stragglers, those it begins with are what is waited for.
    function _expected(Place place, Progress progress) private pure returns (uint16) {
        uint16 all = place.expected();
        if (place.phase() != Phase.Collecting || progress.isWaiting()) return all;
        uint16 enough = place.enough();
        return enough != 0 && enough < all ? enough : all;
    }

    function _finalRounds(Record storage record, Place stored) private view returns (uint32) {
        uint32 round = stored.round();
        return round == 0 || _isFinal(record, stored) ? round : round - 1;
    }

    /// @dev Whether the round at hand is final, by the place as it is stored. A run aborted after finality
    /// keeps the votes that made it; an empty cohort, which nobody voted in, has no quorum.
    function _isFinal(Record storage record, Place stored) private view returns (bool) {
        Phase phase = stored.phase();
        if (phase == Phase.Completed) return true;
        if (phase != Phase.Attesting && phase != Phase.Aborted) return false;
        Progress progress = record.progress;
        return progress.attested() != 0 && progress.attested() >= stored.quorum();
    }
}
