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
import {BatchVoters} from "./rounds/BatchVoters.sol";
import {Membership} from "./rounds/Membership.sol";
import {Place} from "./rounds/Place.sol";
import {Progress} from "./rounds/Progress.sol";
import {RunningLog} from "./rounds/RunningLog.sol";

/// @title Rounds in batches: as the plain ones, for cohorts that are large
/// @notice One transaction carries many sites' updates, one a committee's attestations.
/// @dev Whatever costs storage for each update is left to members and audit: a row is a commitment and a
/// weight in the log and one bit here.
contract BatchedRounds is BatchVoters {
    bytes32 private constant _DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant _NAME_HASH = keccak256("fednet BatchedRounds");
    bytes32 private constant _VERSION_HASH = keccak256("1");
    bytes32 private constant _ATTESTATION_TYPEHASH = keccak256(
        "Attestation(uint64 run,uint32 round,uint8 attempt,uint8 proposal,uint32 site,"
        "bytes32 settlement,bytes32 witness)"
    );
    uint256 private constant _VOTE_BYTES = 101;

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
        _records[run].progress = _closedIfComplete(_records[run], place, progress);
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
}
