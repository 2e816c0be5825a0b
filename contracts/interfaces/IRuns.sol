// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Catalogue of runs and of the rounds modules approved for them
/// @notice Freezes a run's plan, initial model and rounds module when it is opened.
interface IRuns {
    /// @notice A run as it was opened.
    struct Run {
        /// Rounds module that leads it.
        address module;
        /// Account of the researcher who opened it.
        address researcher;
        /// SHA-256 of the plan's canonical bytes.
        bytes32 plan;
        /// SHA-256 of the initial model's bytes.
        bytes32 initialModel;
    }

    /// @notice The operator approved a rounds module for new runs.
    /// @param module Rounds module.
    /// @param operator Operator's account that acted.
    event ModuleApproved(address indexed module, address indexed operator);
    /// @notice The operator withdrew a rounds module from new runs; running ones go on.
    /// @param module Rounds module.
    /// @param operator Operator's account that acted.
    event ModuleWithdrawn(address indexed module, address indexed operator);
    /// @notice A researcher opened a run.
    /// @param run Run, counted from 1.
    /// @param researcher Researcher's account.
    /// @param module Rounds module.
    /// @param plan SHA-256 of the plan's canonical bytes.
    /// @param planLocator Locator of the plan.
    /// @param initialModel SHA-256 of the initial model's bytes.
    /// @param initialModelLocator Locator of the initial model.
    /// @param transferable Whether the plan lets sites give credits away.
    /// @param parameters abi.encode(IRounds.Parameters) for the module.
    event RunOpened(
        uint64 indexed run,
        address indexed researcher,
        address indexed module,
        bytes32 plan,
        bytes32 planLocator,
        bytes32 initialModel,
        bytes32 initialModelLocator,
        bool transferable,
        bytes parameters
    );
    /// @notice A member says that a blob can also be found under another locator.
    /// @param commitment SHA-256 of a blob's complete bytes.
    /// @param site Site, by its stable id.
    /// @param locator Locator of the blob, as the digest of a CID.
    event LocatorAnnounced(bytes32 indexed commitment, uint32 indexed site, bytes32 locator);

    /// @notice Thrown when a module is not approved for new runs.
    /// @param module Rounds module.
    error ModuleNotApproved(address module);
    /// @notice Thrown when an address holds no contract.
    /// @param module Rounds module.
    error ModuleInvalid(address module);
    /// @notice Thrown when a run is unknown.
    /// @param run Run, counted from 1.
    error RunUnknown(uint64 run);

    /// @notice Approve a rounds module for new runs.
    /// @param module Rounds module.
    function approveModule(address module) external;

    /// @notice Withdraw a rounds module from new runs.
    /// @param module Rounds module.
    function withdrawModule(address module) external;

    /// @notice Open a run; the parameters are read by the module.
    /// @param module Rounds module.
    /// @param plan SHA-256 of the plan's canonical bytes.
    /// @param planLocator Locator of the plan.
    /// @param initialModel SHA-256 of the initial model's bytes.
    /// @param initialModelLocator Locator of the initial model.
    /// @param transferable Whether the plan lets sites give credits away.
    /// @param parameters abi.encode(IRounds.Parameters) for the module.
    /// @return run Id of the run.
    function open(
        address module,
        bytes32 plan,
        bytes32 planLocator,
        bytes32 initialModel,
        bytes32 initialModelLocator,
        bool transferable,
        bytes calldata parameters
    ) external returns (uint64 run);

    /// @notice Announce another locator of a blob; by the node of an active site.
    /// @param site Site, by its stable id.
    /// @param commitment SHA-256 of a blob's complete bytes.
    /// @param locator Locator of the blob, as the digest of a CID.
    function announce(uint32 site, bytes32 commitment, bytes32 locator) external;

    /// @notice Read a run.
    /// @param run Run, counted from 1.
    /// @return The run.
    function runOf(uint64 run) external view returns (Run memory);

    /// @notice Read a run's rounds module alone.
    /// @param run Run, counted from 1.
    /// @return Its rounds module.
    function moduleOf(uint64 run) external view returns (address);

    /// @notice Tell whether a module is approved for new runs.
    /// @param module Rounds module.
    /// @return Whether it is approved.
    function isApproved(address module) external view returns (bool);

    /// @notice Count the runs; their ids run from 1 to this.
    /// @return Number of runs.
    function runCount() external view returns (uint64);
}
