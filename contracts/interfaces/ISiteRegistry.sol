// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Register of institutions, their accounts and their roles
/// @notice Says who may act, now. Site 0 is the consortium itself.
interface ISiteRegistry {
    /// @notice Where an institution stands.
    enum Standing {
        /// Unknown to the register.
        None,
        /// Applied and waits for the operator.
        Applied,
        /// May act.
        Active,
        /// May not act until reinstated.
        Suspended,
        /// May never act again.
        Revoked
    }

    /// @notice What an institution says of itself, signed by its node's account (EIP-712).
    struct Application {
        /// Account of the site's node.
        address account;
        /// Name of the institution, 1 to 64 bytes; never a person's.
        string name;
        /// SHA-256 of a description that the operator has seen.
        bytes32 metadata;
        /// X25519 public key to seal messages for the site.
        bytes32 encryptionKey;
        /// Multiaddress under which the site's store can be dialled; empty if it only dials out.
        string storeAddress;
        /// Time in seconds after which the application is void.
        uint256 deadline;
    }

    /// @notice A site as the register holds it.
    struct Site {
        /// Account of the site's node.
        address account;
        /// Where the institution stands.
        Standing standing;
        /// Roles of the node's account, bit by bit.
        uint8 roles;
        /// Counts the node's accounts, from 1.
        uint32 accountVersion;
        /// Counts the encryption keys, from 1.
        uint32 keyVersion;
        /// X25519 public key in force.
        bytes32 encryptionKey;
        /// SHA-256 of the institution's description.
        bytes32 metadata;
    }

    /// @notice An institution applied.
    /// @param site Site, by its stable id.
    /// @param account Account concerned.
    /// @param name Name of the institution.
    /// @param metadata SHA-256 of a description that the operator has seen.
    /// @param encryptionKey X25519 public key to seal messages for the site.
    /// @param storeAddress Multiaddress of the site's store; empty if it only dials out.
    event SiteApplied(
        uint32 indexed site,
        address indexed account,
        string name,
        bytes32 metadata,
        bytes32 encryptionKey,
        string storeAddress
    );
    /// @notice The operator admitted a site and gave its account gas, in wei.
    /// @param site Site, by its stable id.
    /// @param operator Operator's account that acted.
    /// @param roles Roles, bit by bit: operator 1, site 2, researcher 4, aggregator 8.
    /// @param allowance Gas money passed on, in wei.
    event SiteAdmitted(uint32 indexed site, address indexed operator, uint8 roles, uint256 allowance);
    /// @notice A site's standing changed after admission.
    /// @param site Site, by its stable id.
    /// @param operator Operator's account that acted.
    /// @param standing Standing from now on.
    event SiteStandingChanged(uint32 indexed site, address indexed operator, Standing standing);
    /// @notice The account of a site's node was replaced.
    /// @param site Site, by its stable id.
    /// @param account Account concerned.
    /// @param accountVersion Number of the node's account, counted from 1.
    event SiteAccountRotated(uint32 indexed site, address indexed account, uint32 accountVersion);
    /// @notice The encryption key of a site was replaced.
    /// @param site Site, by its stable id.
    /// @param encryptionKey X25519 public key to seal messages for the site.
    /// @param keyVersion Number of the key, counted from 1.
    event SiteKeyRotated(uint32 indexed site, bytes32 encryptionKey, uint32 keyVersion);
    /// @notice A site's store is to be dialled elsewhere.
    /// @param site Site, by its stable id.
    /// @param storeAddress Multiaddress of the site's store; empty if it only dials out.
    event SiteStoreMoved(uint32 indexed site, string storeAddress);
    /// @notice An account other than the node's got its roles; none means it was dismissed.
    /// @param account Account concerned.
    /// @param site Site, by its stable id.
    /// @param roles Roles, bit by bit: operator 1, site 2, researcher 4, aggregator 8.
    event AccountRolesChanged(address indexed account, uint32 indexed site, uint8 roles);

    /// @notice Thrown when an account lacks the role an act needs.
    /// @param account Account concerned.
    /// @param roleNeeded Role the act needs.
    /// @param rolesHeld Roles the account holds.
    error AccountRoleMissing(address account, uint8 roleNeeded, uint8 rolesHeld);
    /// @notice Thrown when the account is not the one of the site's node.
    /// @param account Account concerned.
    /// @param site Site, by its stable id.
    error AccountNotOfSite(address account, uint32 site);
    /// @notice Thrown when an account belongs to a site already.
    /// @param account Account concerned.
    /// @param site Site, by its stable id.
    error AccountAlreadyKnown(address account, uint32 site);
    /// @notice Thrown when the zero address is named as an account.
    error AccountZero();
    /// @notice Thrown when a site is not in the standing an act needs.
    /// @param site Site, by its stable id.
    /// @param actual What it is instead.
    error SiteStandingWrong(uint32 site, Standing actual);
    /// @notice Thrown when roles are named that do not exist or do not fit the account.
    /// @param roles Roles, bit by bit: operator 1, site 2, researcher 4, aggregator 8.
    error RolesInvalid(uint8 roles);
    /// @notice Thrown when the last operator would be dismissed.
    /// @param account Account concerned.
    error OperatorLast(address account);
    /// @notice Thrown when a text is empty or longer than allowed.
    /// @param length Length given, in bytes.
    /// @param maximum Highest value allowed.
    error TextLengthInvalid(uint256 length, uint256 maximum);
    /// @notice Thrown when a commitment or key is zero.
    error DigestZero();
    /// @notice Thrown when a signed application arrives after its deadline.
    /// @param deadline Deadline of the application, in seconds.
    error ApplicationExpired(uint256 deadline);
    /// @notice Thrown when an application is not signed by the account it names.
    /// @param account Account concerned.
    error ApplicationSignatureInvalid(address account);
    /// @notice Thrown when the gas allowance could not be passed on.
    /// @param account Account concerned.
    /// @param allowance Gas money passed on, in wei.
    error AllowanceRefused(address account, uint256 allowance);

    /// @notice Apply for an institution; anybody may carry the signed application.
    /// @param application What the institution says of itself.
    /// @param signature EIP-712 signature by the application's account, 65 bytes.
    /// @return site Site.
    function applyFor(Application calldata application, bytes calldata signature) external returns (uint32 site);

    /// @notice Admit a site with roles for its node; the value sent goes to the node's account for gas.
    /// @param site Site, by its stable id.
    /// @param roles Roles, bit by bit: operator 1, site 2, researcher 4, aggregator 8.
    function admit(uint32 site, uint8 roles) external payable;

    /// @notice Stop a site's acts until it is reinstated.
    /// @param site Site, by its stable id.
    function suspend(uint32 site) external;

    /// @notice Let a suspended site act again.
    /// @param site Site, by its stable id.
    function reinstate(uint32 site) external;

    /// @notice Stop a site's acts for ever.
    /// @param site Site, by its stable id.
    function revoke(uint32 site) external;

    /// @notice Give an account of a site its roles (a researcher, an operator); zero dismisses it.
    /// @param site Site, by its stable id.
    /// @param account Account of the site; the node's own too.
    /// @param roles Roles, bit by bit: operator 1, site 2, researcher 4, aggregator 8.
    function setAccountRoles(uint32 site, address account, uint8 roles) external;

    /// @notice Replace the account of a site's node; by that account or an operator.
    /// @param site Site, by its stable id.
    /// @param account New account of the site's node; must be unknown to the register.
    function rotateAccount(uint32 site, address account) external;

    /// @notice Replace a site's encryption key; by its node's account or an operator.
    /// @param site Site, by its stable id.
    /// @param encryptionKey X25519 public key to seal messages for the site.
    function rotateKey(uint32 site, bytes32 encryptionKey) external;

    /// @notice Say where a site's store can be dialled; by its node's account or an operator.
    /// @param site Site, by its stable id.
    /// @param storeAddress Multiaddress of the site's store; empty if it only dials out.
    function moveStore(uint32 site, string calldata storeAddress) external;

    /// @notice Read a site.
    /// @param site Site, by its stable id.
    /// @return The site.
    function siteOf(uint32 site) external view returns (Site memory);

    /// @notice Count the sites that ever applied; their ids run from 1 to this.
    /// @return Number of sites.
    function siteCount() external view returns (uint32);

    /// @notice Read the site and the roles of an account, whatever the site's standing.
    /// @param account Account concerned.
    /// @return site Site.
    /// @return roles Roles, bit by bit.
    function accountOf(address account) external view returns (uint32 site, uint8 roles);

    /// @notice Revert unless the account is the active site's node and holds the role.
    /// @param site Site, by its stable id.
    /// @param account Account concerned.
    /// @param role Role asked for, one bit.
    function requireNode(uint32 site, address account, uint8 role) external view;

    /// @notice Revert unless the account holds the role and its site is active.
    /// @param account Account concerned.
    /// @param role Role asked for, one bit.
    /// @return site Site.
    function requireRole(address account, uint8 role) external view returns (uint32 site);
}
