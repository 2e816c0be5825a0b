// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Ledger of datasets and of decisions about access to them
/// @notice Holds commitments and decisions, never data.
interface IDataAccess {
    /// @notice Where an access request stands.
    enum AccessStatus {
        /// Unknown.
        None,
        /// Waits for the site.
        Requested,
        /// The site agreed, until the expiry.
        Granted,
        /// The site refused.
        Denied,
        /// The site took its grant back.
        Revoked
    }

    /// @notice A dataset as its site registered it.
    struct Dataset {
        /// Site that holds the data.
        uint32 site;
        /// Number of examples.
        uint64 examples;
        /// Whether the site closed it.
        bool closed;
        /// SHA-256 of the description.
        bytes32 description;
        /// SHA-256 of a secret salt followed by the data's bytes.
        bytes32 data;
    }

    /// @notice A request for access and what became of it. Its id names the grant.
    struct Access {
        /// Dataset asked for.
        uint64 dataset;
        /// Account of the researcher who asked.
        address researcher;
        /// Where it stands.
        AccessStatus status;
        /// Time in seconds when the grant ends.
        uint40 expiry;
        /// Run whose consent names this grant; zero if none does now.
        uint64 run;
    }

    /// @notice A site registered a dataset.
    /// @param dataset Dataset, counted from 1.
    /// @param site Site, by its stable id.
    /// @param description SHA-256 of the description.
    /// @param data SHA-256 of a secret salt followed by the data's bytes.
    /// @param examples Number of examples.
    event DatasetRegistered(
        uint64 indexed dataset,
        uint32 indexed site,
        bytes32 description,
        bytes32 data,
        uint64 examples
    );
    /// @notice A site closed a dataset: no new grant, no new consent.
    /// @param dataset Dataset, counted from 1.
    /// @param site Site, by its stable id.
    event DatasetClosed(uint64 indexed dataset, uint32 indexed site);
    /// @notice A researcher asked for access for a purpose (SHA-256 and locator of its text).
    /// @param grant Grant, by the id of its access request.
    /// @param dataset Dataset, counted from 1.
    /// @param researcher Researcher's account.
    /// @param purpose SHA-256 of the purpose's text.
    /// @param purposeLocator Locator of the purpose's text; may be zero.
    event AccessRequested(
        uint64 indexed grant,
        uint64 indexed dataset,
        address indexed researcher,
        bytes32 purpose,
        bytes32 purposeLocator
    );
    /// @notice A site granted access under terms (SHA-256 and locator of their text) until the expiry.
    /// @param grant Grant, by the id of its access request.
    /// @param dataset Dataset, counted from 1.
    /// @param site Site, by its stable id.
    /// @param terms SHA-256 of the terms' text.
    /// @param termsLocator Locator of the terms' text; may be zero.
    /// @param expiry Time in seconds when the grant ends.
    event AccessGranted(
        uint64 indexed grant,
        uint64 indexed dataset,
        uint32 indexed site,
        bytes32 terms,
        bytes32 termsLocator,
        uint40 expiry
    );
    /// @notice A site denied access.
    /// @param grant Grant, by the id of its access request.
    /// @param dataset Dataset, counted from 1.
    /// @param site Site, by its stable id.
    /// @param reason SHA-256 of the reason, or zero.
    event AccessDenied(uint64 indexed grant, uint64 indexed dataset, uint32 indexed site, bytes32 reason);
    /// @notice A site revoked a grant.
    /// @param grant Grant, by the id of its access request.
    /// @param dataset Dataset, counted from 1.
    /// @param site Site, by its stable id.
    event AccessRevoked(uint64 indexed grant, uint64 indexed dataset, uint32 indexed site);

    /// @notice Thrown when a dataset is unknown.
    /// @param dataset Dataset, counted from 1.
    error DatasetUnknown(uint64 dataset);
    /// @notice Thrown when a dataset is another site's.
    /// @param dataset Dataset, counted from 1.
    /// @param site Site, by its stable id.
    error DatasetNotOfSite(uint64 dataset, uint32 site);
    /// @notice Thrown when a dataset is closed.
    /// @param dataset Dataset, counted from 1.
    error DatasetAlreadyClosed(uint64 dataset);
    /// @notice Thrown when a dataset is registered without an example or with too many.
    /// @param examples Number of examples.
    error ExamplesInvalid(uint64 examples);
    /// @notice Thrown when a request is not in the status an act needs.
    /// @param grant Grant, by the id of its access request.
    /// @param actual What it is instead.
    error AccessStatusWrong(uint64 grant, AccessStatus actual);
    /// @notice Thrown when an expiry is not in the future.
    /// @param expiry Time in seconds when the grant ends.
    error ExpiryPast(uint40 expiry);
    /// @notice Thrown when a grant has ended.
    /// @param grant Grant, by the id of its access request.
    /// @param expiry Time in seconds when the grant ends.
    error GrantExpired(uint64 grant, uint40 expiry);
    /// @notice Thrown when a grant was given to another researcher than the run's.
    /// @param grant Grant, by the id of its access request.
    /// @param researcher Researcher's account.
    error GrantNotForResearcher(uint64 grant, address researcher);
    /// @notice Thrown when a grant already carries the consent to another run.
    /// @param grant Grant, by the id of its access request.
    /// @param run Run, counted from 1.
    error GrantInUse(uint64 grant, uint64 run);
    /// @notice Thrown when a rounds module acts for a run that is not its own.
    /// @param caller Account or contract that called.
    /// @param run Run, counted from 1.
    error CallerNotModule(address caller, uint64 run);

    /// @notice Register a dataset of the caller's site.
    /// @param site Site, by its stable id.
    /// @param description SHA-256 of the description.
    /// @param data SHA-256 of a secret salt followed by the data's bytes.
    /// @param examples Number of examples.
    /// @return dataset Id of the dataset.
    function registerDataset(
        uint32 site,
        bytes32 description,
        bytes32 data,
        uint64 examples) external returns (uint64 dataset
    );

    /// @notice Close a dataset; live consents under it go on until their grants end.
    /// @param dataset Dataset, counted from 1.
    function closeDataset(uint64 dataset) external;

    /// @notice Ask for access to a dataset for a stated purpose.
    /// @param dataset Dataset, counted from 1.
    /// @param purpose SHA-256 of the purpose's text.
    /// @param purposeLocator Locator of the purpose's text; may be zero.
    /// @return grant Id of the request, which names the grant if it is given.
    function requestAccess(uint64 dataset, bytes32 purpose, bytes32 purposeLocator) external returns (uint64 grant);

    /// @notice Grant a request until the expiry, in seconds.
    /// @param grant Grant, by the id of its access request.
    /// @param terms SHA-256 of the terms' text.
    /// @param termsLocator Locator of the terms' text; may be zero.
    /// @param expiry Time in seconds when the grant ends.
    function grantAccess(uint64 grant, bytes32 terms, bytes32 termsLocator, uint40 expiry) external;

    /// @notice Deny a request; the reason is a commitment or zero.
    /// @param grant Grant, by the id of its access request.
    /// @param reason SHA-256 of the reason, or zero.
    function denyAccess(uint64 grant, bytes32 reason) external;

    /// @notice Revoke a grant; a consent that names it is withdrawn at once.
    /// @param grant Grant, by the id of its access request.
    function revokeAccess(uint64 grant) external;

    /// @notice Bind a live grant to a consent; only by the run's rounds module.
    /// @param grant Grant, by the id of its access request.
    /// @param run Run, counted from 1.
    /// @param site Site, by its stable id.
    /// @return examples Number of examples of the dataset.
    /// @return expiry Time in seconds when the grant ends.
    function bindConsent(uint64 grant, uint64 run, uint32 site) external returns (uint64 examples, uint40 expiry);

    /// @notice Free a grant from a consent that ended; only by the run's rounds module.
    /// @param grant Grant, by the id of its access request.
    /// @param run Run, counted from 1.
    function releaseConsent(uint64 grant, uint64 run) external;

    /// @notice Read a dataset.
    /// @param dataset Dataset, counted from 1.
    /// @return The dataset.
    function datasetOf(uint64 dataset) external view returns (Dataset memory);

    /// @notice Read an access request.
    /// @param grant Grant, by the id of its access request.
    /// @return The request.
    function accessOf(uint64 grant) external view returns (Access memory);

    /// @notice Count the datasets; their ids run from 1 to this.
    /// @return Number of datasets.
    function datasetCount() external view returns (uint64);

    /// @notice Count the access requests; their ids run from 1 to this.
    /// @return Number of access requests.
    function accessCount() external view returns (uint64);
}
