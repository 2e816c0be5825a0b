// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Roles of accounts, bit by bit
/// @notice Names the bits that the register keeps and the other contracts ask for.
library Roles {
    /// @notice Admits and revokes institutions, approves rounds modules; accounts of site 0 only.
    uint8 internal constant OPERATOR = 1;
    /// @notice Registers data, consents, submits and attests; the account of a site's node only.
    uint8 internal constant SITE = 2;
    /// @notice Asks for access and opens runs.
    uint8 internal constant RESEARCHER = 4;
    /// @notice Proposes round records; the account of a site's node only.
    uint8 internal constant AGGREGATOR = 8;
    /// @notice Roles the account of a hospital's node can hold.
    uint8 internal constant OF_NODE = SITE | RESEARCHER | AGGREGATOR;
}
