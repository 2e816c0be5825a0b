// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Applications} from "./Applications.sol";
import {Roles} from "./Roles.sol";
import {ISiteRegistry} from "./interfaces/ISiteRegistry.sol";

/// @title Register of institutions, their accounts and their roles
/// @notice Says who may act, now.
contract SiteRegistry is Applications {
    /// @dev One slot, so that asking whether a node may act costs one read.
    struct Seat {
        address account;
        Standing standing;
        uint8 roles;
        uint32 accountVersion;
        uint32 keyVersion;
    }

    struct Account {
        uint32 site;
        uint8 roles;
        bool known;
    }

    uint32 private constant _CONSORTIUM = 0;

    mapping(uint32 site => Seat) private _seats;
    mapping(uint32 site => bytes32 key) private _encryptionKeys;
    mapping(uint32 site => bytes32 digest) private _metadata;
    mapping(address account => Account) private _accounts;
    uint32 private _siteCount;
    uint32 private _operatorCount;

    modifier onlyOperator() {
        requireRole(msg.sender, Roles.OPERATOR);
        _;
    }

    /// @notice Make the deployer the first operator and the consortium site 0.
    constructor() {
        _seats[_CONSORTIUM] = Seat(msg.sender, Standing.Active, Roles.OPERATOR, 1, 0);
        _accounts[msg.sender] = Account(_CONSORTIUM, 0, true);
        _operatorCount = 1;
        emit AccountRolesChanged(msg.sender, _CONSORTIUM, Roles.OPERATOR);
    }

    /// @inheritdoc ISiteRegistry
    function applyFor(Application calldata application, bytes calldata signature) external returns (uint32 site) {
        _requireWellFormed(application);
        _requireNewAccount(application.account);
        _requireSigned(application, signature);
        site = ++_siteCount;
        _seats[site] = Seat(application.account, Standing.Applied, 0, 1, 1);
        _encryptionKeys[site] = application.encryptionKey;
        _metadata[site] = application.metadata;
        _accounts[application.account] = Account(site, 0, true);
        emit SiteApplied(
            site,
            application.account,
            application.name,
            application.metadata,
            application.encryptionKey,
            application.storeAddress
        );
    }

    /// @inheritdoc ISiteRegistry
    function admit(uint32 site, uint8 roles) external payable onlyOperator {
        if (roles == 0 || roles & ~Roles.OF_NODE != 0) revert RolesInvalid(roles);
        Seat memory seat = _seats[site];
        if (seat.standing != Standing.Applied) revert SiteStandingWrong(site, seat.standing);
        seat.standing = Standing.Active;
        seat.roles = roles;
        _seats[site] = seat;
        emit SiteAdmitted(site, msg.sender, roles, msg.value);
        if (msg.value == 0) return;
        (bool passed,) = seat.account.call{value: msg.value}("");
        if (!passed) revert AllowanceRefused(seat.account, msg.value);
    }

    /// @inheritdoc ISiteRegistry
    function suspend(uint32 site) external onlyOperator {
        _requireStanding(site, Standing.Active);
        _setStanding(site, Standing.Suspended);
    }

    /// @inheritdoc ISiteRegistry
    function reinstate(uint32 site) external onlyOperator {
        _requireStanding(site, Standing.Suspended);
        _setStanding(site, Standing.Active);
    }

    /// @inheritdoc ISiteRegistry
    function revoke(uint32 site) external onlyOperator {
        Standing actual = _seats[site].standing;
        if (actual == Standing.None || actual == Standing.Revoked) revert SiteStandingWrong(site, actual);
        _setStanding(site, Standing.Revoked);
    }

    /// @inheritdoc ISiteRegistry
    function setAccountRoles(uint32 site, address account, uint8 roles) external {
        Seat storage seat = _seats[site];
        bool isNode = account == seat.account;
        bool byNode = msg.sender == seat.account && roles == 0 && !isNode;
        if (!byNode) requireRole(msg.sender, Roles.OPERATOR);
        if (byNode || roles != 0) _requireStanding(site, Standing.Active);
        if (account == address(0)) revert AccountZero();
        if (roles & ~_rolesAllowed(site, isNode) != 0) revert RolesInvalid(roles);

        Account memory held = _accounts[account];
        if (held.known && held.site != site) revert AccountAlreadyKnown(account, held.site);
        if (!held.known && roles == 0) revert AccountNotOfSite(account, site);
        _countOperators(account, _rolesOf(account), roles);
        if (isNode) seat.roles = roles;
        else _accounts[account] = Account(site, roles, true);
        emit AccountRolesChanged(account, site, roles);
    }

    /// @inheritdoc ISiteRegistry
    function rotateAccount(uint32 site, address account) external {
        Seat memory seat = _requireLed(site);
        _requireNewAccount(account);
        seat.account = account;
        ++seat.accountVersion;
        _seats[site] = seat;
        _accounts[account] = Account(site, 0, true);
        emit SiteAccountRotated(site, account, seat.accountVersion);
    }

    /// @inheritdoc ISiteRegistry
    function rotateKey(uint32 site, bytes32 encryptionKey) external {
        uint32 version = _requireLed(site).keyVersion + 1;
        if (encryptionKey == 0) revert DigestZero();
        _seats[site].keyVersion = version;
        _encryptionKeys[site] = encryptionKey;
        emit SiteKeyRotated(site, encryptionKey, version);
    }

    /// @inheritdoc ISiteRegistry
    function moveStore(uint32 site, string calldata storeAddress) external {
        _requireLed(site);
        _requireStoreAddress(storeAddress);
        emit SiteStoreMoved(site, storeAddress);
    }

    /// @inheritdoc ISiteRegistry
    function siteOf(uint32 site) external view returns (Site memory) {
        Seat memory seat = _seats[site];
        return Site(
            seat.account,
            seat.standing,
            seat.roles,
            seat.accountVersion,
            seat.keyVersion,
            _encryptionKeys[site],
            _metadata[site]
        );
    }

    /// @inheritdoc ISiteRegistry
    function siteCount() external view returns (uint32) {
        return _siteCount;
    }

    /// @inheritdoc ISiteRegistry
    function accountOf(address account) external view returns (uint32 site, uint8 roles) {
        return (_accounts[account].site, _rolesOf(account));
    }

    /// @inheritdoc ISiteRegistry
    function requireNode(uint32 site, address account, uint8 role) external view {
        Seat storage seat = _seats[site];
        (address node, Standing standing, uint8 roles) = (seat.account, seat.standing, seat.roles);
        if (node != account) revert AccountNotOfSite(account, site);
        if (standing != Standing.Active) revert SiteStandingWrong(site, standing);
        if (roles & role == 0) revert AccountRoleMissing(account, role, roles);
    }

    /// @inheritdoc ISiteRegistry
    function requireRole(address account, uint8 role) public view returns (uint32 site) {
        site = _accounts[account].site;
        uint8 held = _rolesOf(account);
        if (held & role == 0) revert AccountRoleMissing(account, role, held);
        _requireStanding(site, Standing.Active);
    }

    /// @dev The roles of a node's account live in its seat, so rotation takes them along and leaves
    /// the account before with none.
    function _rolesOf(address account) private view returns (uint8) {
        Account memory held = _accounts[account];
        if (!held.known) return 0;
        Seat memory seat = _seats[held.site];
        return seat.account == account ? held.roles | seat.roles : held.roles;
    }

    function _setStanding(uint32 site, Standing standing) private {
        if (site == _CONSORTIUM) revert OperatorLast(_seats[site].account);
        _seats[site].standing = standing;
        emit SiteStandingChanged(site, msg.sender, standing);
    }

    function _countOperators(address account, uint8 before, uint8 roles) private {
        if (before & Roles.OPERATOR == roles & Roles.OPERATOR) return;
        if (roles & Roles.OPERATOR != 0) {
            ++_operatorCount;
            return;
        }
        if (_operatorCount == 1) revert OperatorLast(account);
        --_operatorCount;
    }

    /// @dev A site leads itself while it is active; the operator also while it is suspended.
    function _requireLed(uint32 site) private view returns (Seat memory seat) {
        seat = _seats[site];
        bool open = seat.standing == Standing.Active
            || (seat.standing == Standing.Suspended && msg.sender != seat.account);
        if (!open) revert SiteStandingWrong(site, seat.standing);
        if (msg.sender != seat.account) requireRole(msg.sender, Roles.OPERATOR);
    }

    function _requireStanding(uint32 site, Standing needed) private view {
        Standing actual = _seats[site].standing;
        if (actual != needed) revert SiteStandingWrong(site, actual);
    }

    function _requireNewAccount(address account) private view {
        if (account == address(0)) revert AccountZero();
        if (_accounts[account].known) revert AccountAlreadyKnown(account, _accounts[account].site);
    }

    function _rolesAllowed(uint32 site, bool isNode) private pure returns (uint8) {
        if (site == _CONSORTIUM) return Roles.OPERATOR | Roles.RESEARCHER;
        return isNode ? Roles.OF_NODE : Roles.RESEARCHER;
    }
}
