// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {PlainRounds} from "./PlainRounds.sol";
import {Roles} from "./Roles.sol";
import {IBatchedRounds} from "./interfaces/IBatchedRounds.sol";
import {IDataAccess} from "./interfaces/IDataAccess.sol";
import {IRuns} from "./interfaces/IRuns.sol";
import {ISiteRegistry} from "./interfaces/ISiteRegistry.sol";
import {BatchBits} from "./rounds/BatchBits.sol";
import {BatchCommittee, BatchCommittees} from "./rounds/BatchCommittee.sol";
import {Membership} from "./rounds/Membership.sol";
import {Place} from "./rounds/Place.sol";
import {Progress} from "./rounds/Progress.sol";
import {RunningLog} from "./rounds/RunningLog.sol";

/// @title Rounds in batches: as the plain ones, for cohorts that are large
/// @notice One transaction carries many sites' updates, one a committee's attestations.
/// @dev Whatever costs storage for each update is left to members and audit: a row is a commitment and a
/// weight in the log and one bit here.
contract BatchedRounds is PlainRounds, IBatchedRounds {
    bytes32 private constant _DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant _NAME_HASH = keccak256("fednet BatchedRounds");
    bytes32 private constant _VERSION_HASH = keccak256("1");
    bytes32 private constant _ATTESTATION_TYPEHASH = keccak256(
        "Attestation(uint64 run,uint32 round,uint8 attempt,uint8 proposal,uint32 site,"
        "bytes32 settlement,bytes32 witness)"
    );
    uint256 private constant _ROW_BYTES = 37;
    uint256 private constant _VOTE_BYTES = 101;
    uint256 private constant _MOST_DRAWS = 256;

    /// @dev Whose consent stands, and who has submitted to an attempt, by roster position; see `BatchBits`.
    mapping(uint64 run => mapping(uint256 index => uint256 bits)) private _seats;
    mapping(uint64 run => mapping(uint256 index => uint256 bits)) private _submissions;
    mapping(uint64 run => BatchCommittee) private _committees;

    /// @notice Tie the module to the register, the data-access ledger and the catalogue of runs.
    constructor(ISiteRegistry registry, IDataAccess dataAccess, IRuns runs)
        PlainRounds(registry, dataAccess, runs)
    {}

    /// @inheritdoc IBatchedRounds
    function submitBatch(
        uint64 run,
        uint32 site,
        uint32 round,
        uint8 attempt,
        bytes32 sheet,
        bytes32 sheetLocator,
        uint256[] calldata positions,
        bytes calldata rows
    ) external {
        if (sheet == 0 || sheetLocator == 0) revert CommitmentZero();
        _REGISTRY.requireNode(site, msg.sender, Roles.AGGREGATOR);
        (Place place, Progress progress) = _requireCollecting(run, uint40(round) << 8 | attempt);
        _requireBatcher(run, site, place);
        uint256 added = _mark(run, place, positions, rows.length);
        bytes memory entry = abi.encode(
            progress.head(), UpdatesBatched.selector, run, round, site, attempt, sheet, sheetLocator, positions, rows
        );
        // Offsets in a log count from its data, behind the head and four topics.
        assembly ("memory-safe") {
            mstore(add(entry, 0x120), sub(mload(add(entry, 0x120)), 0xa0))
            mstore(add(entry, 0x140), sub(mload(add(entry, 0x140)), 0xa0))
        }
        progress = progress.extended(RunningLog.log4(entry)).plusSubmissions(uint16(added));
        _records[run].progress = _closedIfComplete(place, progress);
    }

    /// @inheritdoc IBatchedRounds
    function attestBatch(
        uint64 run,
        uint32 round,
        uint8 attempt,
        uint8 proposal,
        bytes calldata rows,
        bool andAdvance
    ) external {
        if (rows.length % _VOTE_BYTES != 0) revert BatchMalformed(run, rows.length / _VOTE_BYTES, rows.length);
        uint48 key = _keyOf(round, attempt, proposal);
        (Place place, Progress progress, bool current, uint16 rosterLength) = _requireVoting(run, key);
        uint16 before = progress.attested();
        bytes32 settlement = _records[run].settlements[round];
        bytes32 domain = _domain();
        uint256 counted = 0;
        for (uint256 i = 0; i < rows.length; i += _VOTE_BYTES) {
            uint32 site = _signed(domain, settlement, run, key, rows[i:i + _VOTE_BYTES]);
            if (_records[run].members[site].attestedKey() == key) continue;
            progress = _noteVote(run, site, key, place, progress, current, rosterLength);
            if (current) progress = progress.plusAttested();
            ++counted;
        }
        if (counted == 0) revert BatchWithoutEffect(run);
        bytes memory entry =
            abi.encode(progress.head(), AttestationsBatched.selector, run, round, attempt, proposal, rows);
        // As above, behind the head and three topics.
        assembly ("memory-safe") {
            mstore(add(entry, 0xe0), sub(mload(add(entry, 0xe0)), 0x80))
        }
        progress = progress.extended(RunningLog.log3(entry));
        bool isFinal = current && before < place.quorum() && progress.attested() >= place.quorum();
        if (isFinal) progress = _logFinality(run, place, progress);
        _records[run].progress = progress;
        if (andAdvance && isFinal) advance(run);
    }

    /// @inheritdoc IBatchedRounds
    function committeeOf(uint64 run) external view returns (uint256) {
        return BatchCommittee.unwrap(_committees[run]);
    }

    function _started(uint64 run, bytes calldata parameters) internal override {
        (, uint16 size) = abi.decode(parameters, (Parameters, uint16));
        if (size > BatchCommittees.MAXIMUM) revert ParameterInvalid("committeeSites", size);
        _committees[run] = BatchCommittees.sized(size);
    }

    function _proposed(uint64 run) internal override {
        _committees[run] = _committees[run].proposed(block.number);
    }

    function _setSeat(uint64 run, uint16 position, bool taken) internal override {
        (uint256 index, uint256 bit) = _split(position);
        uint256 bits = _seats[run][index];
        _seats[run][index] = taken ? bits | bit : bits & ~bit;
        // Whoever fills the word pays for its other slot too, so that no batch has to: of attempt zero.
        if (taken && bit == 1) _submissions[run][index] = uint256(1) << BatchBits.POSITIONS;
    }

    /// @dev A site's own submission stands in place of its row in a batch, which then counted already.
    function _counted(uint64 run, uint32 site, Place place, Progress progress) internal override returns (Progress) {
        (uint256 index, uint256 bit) = _split(_records[run].members[site].position());
        uint40 key = place.attemptKey();
        uint256 bits = BatchBits.held(_submissions[run][index], key);
        if (bits & bit != 0) return progress;
        _submissions[run][index] = bits | bit | uint256(key) << BatchBits.POSITIONS;
        return progress.plusSubmitted();
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

    function _submittedKeyOf(uint64 run, Membership member) internal view override returns (uint40) {
        if (!member.known()) return 0;
        uint40 own = member.submittedKey();
        (uint256 index, uint256 bit) = _split(member.position());
        uint256 word = _submissions[run][index];
        uint40 key = uint40(word >> BatchBits.POSITIONS);
        return word & bit != 0 && key > own ? key : own;
    }

    /// @dev A committee decides on proposals; a run ends early by the whole cohort only.
    function _quorumToConclude(Record storage record, Place place) internal view override returns (uint16) {
        return _quorumOf(record, place.cohort());
    }

    function _votersOf(uint64 run, uint16 cohort) internal view override returns (uint16) {
        uint256 size = _committees[run].size();
        return size == 0 || size > cohort ? cohort : uint16(size);
    }

    /// @dev A batch of rows that nobody signed can spoil an attempt. So after one that failed, only the
    /// site whose turn it is hands one in: position (round + attempt) modulo the roster's length.
    function _requireBatcher(uint64 run, uint32 site, Place place) private view {
        Membership member = _records[run].members[site];
        if (!member.consenting()) revert ConsentMissing(run, site);
        uint256 length = place.rosterLength();
        if (member.position() >= length) revert SiteNotInCohort(run, site);
        if (place.attempt() == _FIRST) return;
        uint256 turn = (uint256(place.round()) + place.attempt()) % length;
        if (member.position() != turn) revert TurnOfAnother(run, site, uint16(turn));
    }

    /// @dev Returns how many positions of a batch count.
    function _mark(uint64 run, Place place, uint256[] calldata positions, uint256 rowBytes)
        private
        returns (uint256 added)
    {
        uint40 key = place.attemptKey();
        uint256 marked = 0;
        for (uint256 index = 0; index < positions.length; ++index) {
            uint256 bits = positions[index];
            if (bits & ~BatchBits.below(index, place.rosterLength()) != 0) revert BatchMalformed(run, marked, rowBytes);
            marked += BatchBits.count(bits);
            uint256 before = BatchBits.held(_submissions[run][index], key);
            bits &= _seats[run][index] & ~before;
            if (bits == 0) continue;
            added += BatchBits.count(bits);
            _submissions[run][index] = bits | before | uint256(key) << BatchBits.POSITIONS;
        }
        if (rowBytes != marked * _ROW_BYTES) revert BatchMalformed(run, marked, rowBytes);
        if (added == 0) revert BatchWithoutEffect(run);
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
            (uint256 index, uint256 bit) = _split(position);
            if (_seats[run][index] & bit == 0 || BatchCommittees.among(members, number, position)) continue;
            members = BatchCommittees.plus(members, number++, position);
        }
    }

    /// @dev Gives the site whose account signed a row.
    function _signed(bytes32 domain, bytes32 settlement, uint64 run, uint48 key, bytes calldata row)
        private
        view
        returns (uint32 site)
    {
        bytes32 witness;
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            site := shr(224, calldataload(row.offset))
            witness := calldataload(add(row.offset, 4))
            r := calldataload(add(row.offset, 36))
            s := calldataload(add(row.offset, 68))
            v := byte(0, calldataload(add(row.offset, 100)))
        }
        if (witness == 0) revert CommitmentZero();
        bytes32 vote = keccak256(
            abi.encode(
                _ATTESTATION_TYPEHASH, run, key >> 16, uint8(key >> 8), uint8(key), site, settlement, witness
            )
        );
        (address signer,,) = ECDSA.tryRecover(MessageHashUtils.toTypedDataHash(domain, vote), v, r, s);
        if (signer == address(0)) revert AttestationSignatureInvalid(site);
        _REGISTRY.requireNode(site, signer, Roles.SITE);
    }

    /// @dev OpenZeppelin's EIP712 would add 1 kB of code to a contract near the limit.
    function _domain() private view returns (bytes32) {
        return keccak256(abi.encode(_DOMAIN_TYPEHASH, _NAME_HASH, _VERSION_HASH, block.chainid, address(this)));
    }

    function _split(uint256 position) private pure returns (uint256 index, uint256 bit) {
        return (position / BatchBits.POSITIONS, uint256(1) << (position % BatchBits.POSITIONS));
    }
}
