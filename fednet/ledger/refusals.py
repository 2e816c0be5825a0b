"""What a contract's refusal means, and what to do about it: one entry per Solidity error.

``tests/parity`` walks every ABI and fails if an error has no entry here.
"""

from __future__ import annotations

from enum import Enum

from eth_utils.address import to_checksum_address

from fednet.domain.disclosures import ReleaseStatus
from fednet.domain.identity import Digest
from fednet.domain.ledger import AccessStatus, Phase, Standing
from fednet.domain.masking_stages import MaskingStage
from fednet.errors import LedgerError, RevertedError
from fednet.ledger import abi
from fednet.ledger.codec import snake_case

_OUR_BUG = "this is a fault of fednet: please report it"
_LATER = "wait for the run to move on (`fednet run status`)"
_OPERATOR = "ask the consortium's operator"
_NEXT_ATTEMPT = "wait for the next attempt or round"
_NOTHING = "nothing to do: it is done already"

REFUSALS: dict[str, tuple[str, str]] = {
    # SiteRegistry
    "AccountRoleMissing": ("the account lacks a role", f"{_OPERATOR} to give it the role"),
    "AccountNotOfSite": (
        "the account is not the site's",
        "use the keystore of the site's node, or the site's own number",
    ),
    "AccountAlreadyKnown": (
        "the account belongs to a site already",
        "make another key (`fednet keys new`)",
    ),
    "AccountZero": ("the zero address is no account", "name an account"),
    "SiteStandingWrong": ("the site's standing does not allow it", f"{_OPERATOR} where it stands"),
    "RolesInvalid": ("there are no such roles for this account", "see `fednet site admit --help`"),
    "OperatorLast": ("the last operator cannot be dismissed", "appoint another one first"),
    "TextLengthInvalid": ("the text is empty or too long", "use 1 to 64 bytes for a name"),
    "DigestZero": ("a commitment or key is zero", "check the file that was committed to"),
    "ApplicationExpired": ("the application is out of date", "sign a new one (`fednet node join`)"),
    "ApplicationSignatureInvalid": (
        "the application is not signed by the account it names",
        "sign it again with the node's keystore, for this deployment",
    ),
    "AllowanceRefused": ("the gas allowance could not be passed on", "send less, or nothing"),
    "InvalidShortString": ("a text has a wrong form", _OUR_BUG),
    "StringTooLong": ("a text is too long", _OUR_BUG),
    # DataAccess
    "DatasetUnknown": ("there is no such dataset", "see `fednet dataset list`"),
    "DatasetNotOfSite": ("the dataset is another site's", "see `fednet dataset list`"),
    "DatasetAlreadyClosed": ("the dataset is closed", "register another one"),
    "ExamplesInvalid": ("the number of examples is out of range", "check the data file"),
    "AccessStatusWrong": (
        "the request is not in the status this needs",
        "see `fednet access list`",
    ),
    "ExpiryPast": ("the expiry is not in the future", "name a later one"),
    "GrantExpired": ("the grant has ended", "request access again (`fednet access request`)"),
    "GrantNotForResearcher": (
        "the grant was given to another researcher",
        "consent under a grant of the run's researcher",
    ),
    "GrantInUse": ("the grant carries the consent to another run", "request another grant"),
    "CallerNotModule": ("only a run's rounds module may do this", _OUR_BUG),
    # Runs
    "ModuleNotApproved": ("the rounds module is not approved", f"{_OPERATOR} to approve it"),
    "ModuleInvalid": ("there is no contract at this address", "check the module's address"),
    "RunUnknown": ("there is no such run", "see `fednet run list`"),
    # Rounds
    "CallerNotCatalogue": ("only the catalogue of runs may do this", _OUR_BUG),
    "CallerNotDataAccess": ("only the data-access ledger may do this", _OUR_BUG),
    "ParameterInvalid": ("a parameter is out of bounds", "correct the plan (`fednet plan check`)"),
    "PhaseWrong": ("the run is in another phase", _LATER),
    "PlaceWrong": ("the run is at another round, attempt or proposal", _LATER),
    "DeadlinePassed": ("the deadline has passed", _LATER),
    "DeadlineAhead": ("the deadline has not passed yet", _LATER),
    "SiteNotInCohort": ("the site is not in the cohort", "wait for the next attempt or round"),
    "ConsentAlreadyGiven": ("the site consents already", _NOTHING),
    "ConsentMissing": ("the site does not consent", "consent first (`fednet run consent`)"),
    "ConsentInOrder": ("the consent is in order and stays", "a site withdraws its own consent"),
    "RosterFull": ("no more sites may consent to this run", "wait for another run"),
    "ConsentExpired": ("the site's grant has ended", "request access again for the next run"),
    "AlreadySubmitted": ("the site has submitted already", _NOTHING),
    "AlreadyAttested": ("the site has attested or objected already", _NOTHING),
    "AlreadyConcluding": ("the site has voted to end the run already", _NOTHING),
    "CommitmentZero": ("a commitment, locator or witness is zero", _OUR_BUG),
    "WeightInvalid": (
        "the weight is zero or above what consent fixed",
        "check the dataset's number of examples",
    ),
    "TurnOfAnother": ("it is another aggregator's turn", _LATER),
    "CountsInvalid": ("the proposal's counts do not add up", _OUR_BUG),
    "RevealUnfinished": ("the bytes may still be revealed", _LATER),
    "CreditsOutOfBounds": ("the round grants too many or too few credits", _OUR_BUG),
    "CallerNotMember": ("the account is no member of the run", "use a member's keystore"),
    "StageUnknown": ("the rounds module has no such stage", _OUR_BUG),
    # Rounds of samples
    "SiteNotInSample": ("the site is not in the attempt's sample", "wait for the next round"),
    "SampleSettled": ("there is no sample to draw, or it is drawn already", _NOTHING),
    "SampleAhead": ("the block that draws the sample is not over yet", "try again in a moment"),
    # Rounds in batches
    "BatchMalformed": ("the batch's rows do not fit its positions", _OUR_BUG),
    "BatchWithoutEffect": ("nothing in the batch would count", _NOTHING),
    "SiteNotInCommittee": (
        "the site is not in the committee that votes before the round is final",
        "vote once the round is final, or wait for the next proposal",
    ),
    "CommitteeUndrawn": ("the committee is drawn from the next block on", _LATER),
    "AttestationSignatureInvalid": ("an attestation carries nobody's signature", _OUR_BUG),
    # Credits
    "CallerNotRuns": ("only the catalogue of runs may do this", _OUR_BUG),
    "SettlementUnknown": ("the round is not final, or settled otherwise", _LATER),
    "CreditsProofInvalid": (
        "the proof does not lead to the settled root",
        "check the round's record (`fednet audit`)",
    ),
    "CreditsExceeded": ("claims would exceed what was granted", "audit the run (`fednet audit`)"),
    "CreditsAlreadyClaimed": ("there is nothing left to claim", _NOTHING),
    "CreditsNotTransferable": ("the plan keeps credits with their site", ""),
    "CreditsInsufficient": ("the site holds fewer credits", "see `fednet rewards show`"),
    # Disclosures
    "DatasetNotInRun": (
        "the site does not consent to the run under a grant on this dataset",
        "name the dataset of the consent, or consent first (`fednet run consent`)",
    ),
    "ReleaseOutOfOrder": ("the release of this attempt or a later one was requested", _NOTHING),
    "ReleaseNotPending": ("no request for this release waits for a decision", _NOTHING),
    "DecisionInvalid": ("this is no decision on a release", _OUR_BUG),
    "DeltaInvalid": ("a delta above one promises nothing", "name a delta below one"),
    "CeilingGroundsMissing": (
        "a ceiling is raised only on grounds",
        "commit to the document that raises it",
    ),
    "SpendingOutOfOrder": ("a later round has spent already", _NOTHING),
    "SpendingFell": ("what was spent cannot be taken back", _OUR_BUG),
    "BudgetExceeded": (
        "the dataset's privacy budget does not reach",
        "train with more noise or not at all, or have the site raise the ceiling on grounds",
    ),
    "RetentionZero": ("a period of no time keeps nothing", "name a period in seconds"),
    "ReaderNotAdmitted": ("nobody is admitted to read under this number", _NOTHING),
    "ReaderNotOfSite": (
        "another site admitted the reader",
        f"ask that site, or {_OPERATOR}, to dismiss it",
    ),
    "DatasetStillOpen": ("the dataset is open", "close it first (`fednet dataset close`)"),
    "ErasureEmpty": ("nothing was erased", _NOTHING),
    # Masked rounds
    "StageWrong": ("the masked attempt is in another stage", _LATER),
    "AlreadyRecorded": (
        "the site has recorded this already, in this attempt",
        "nothing to do: the first record counts, and nothing takes its place",
    ),
    "KeysMissing": ("the site advertised no keys in this attempt", _NEXT_ATTEMPT),
    "DealingMissing": ("the site dealt no shares in this attempt", _NEXT_ATTEMPT),
    "HoldingMissing": ("the site never said whose shares it holds", _NEXT_ATTEMPT),
    "BytesTooLong": ("there are more bytes than the roster has positions", _OUR_BUG),
    "SetPending": ("members may still affirm the set at hand", "affirm that one, or wait"),
    "SetNotAtHand": ("another set is at hand", "look at the set that was proposed last"),
    "InclusionNotFrozen": (
        "the proposal counts others than the frozen set",
        "propose what members affirmed; until they have, wait",
    ),
    # The language's own
    "Error": ("the contract refused", ""),
    "Panic": ("the contract failed", _OUR_BUG),
}

_ENUMS: dict[str, type[Phase | Standing | AccessStatus | ReleaseStatus | MaskingStage]] = {
    "enum IRoundsTypes.Phase": Phase,
    "enum ISiteRegistry.Standing": Standing,
    "enum IDataAccess.AccessStatus": AccessStatus,
    "enum IDisclosuresRecords.ReleaseStatus": ReleaseStatus,
    "enum IMaskingTypes.Stage": MaskingStage,
}
_ERROR_TEXT = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")


def refusal(data: bytes | None, subject: str) -> RevertedError:
    """Decode a revert's data into an error that says what to do."""
    name, arguments = _decode(data or b"")
    message, hint = REFUSALS.get(name, ("the contract refused without a reason", ""))
    details = ", ".join(f"{key} {_shown(value)}" for key, value in arguments.items())
    return RevertedError(
        message, error=name, arguments=arguments, subject=subject, hint=hint, actual=details or None
    )


def revert_data(raw: object) -> bytes | None:
    """Find the revert's data in a JSON-RPC error; Ganache hides it one level deeper."""
    if isinstance(raw, dict):
        raw = raw.get("result", raw.get("data"))
    if not isinstance(raw, str):
        return None
    _, found, digits = raw.rpartition("0x")
    try:
        return bytes.fromhex(digits) if found else None
    except ValueError:
        return None


def _decode(data: bytes) -> tuple[str, dict[str, object]]:
    selector, rest = data[:4], data[4:]
    error = abi.errors_by_selector().get(selector)
    try:
        if error is not None:
            values = abi.decode([each.abi_type for each in error.inputs], rest)
            return error.name, {
                snake_case(each.name): _readable(each, value)
                for each, value in zip(error.inputs, values, strict=True)
            }
        if selector == _ERROR_TEXT:
            return "Error", {"reason": abi.decode(["string"], rest)[0]}
        if selector == _PANIC:
            return "Panic", {"code": abi.decode(["uint256"], rest)[0]}
    except LedgerError:
        pass
    return ("Unknown", {"data": "0x" + data[:64].hex()}) if data else ("Unknown", {})


def _shown(value: object) -> object:
    return value.name.lower() if isinstance(value, Enum) else value


def _readable(parameter: abi.Parameter, value: abi.Value) -> object:
    kind = _ENUMS.get(parameter.solidity_type)
    if kind is not None and value in {int(each) for each in kind}:
        return kind(value)
    if parameter.abi_type == "bytes32":
        name = value.rstrip(b"\0").decode("ascii", "replace")
        return name if name.isascii() and name.isprintable() and name else Digest(value)
    if parameter.abi_type == "address":
        return to_checksum_address(value)
    return value
