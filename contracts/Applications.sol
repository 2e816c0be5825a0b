// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ISiteRegistry} from "./interfaces/ISiteRegistry.sol";

/// @title Signed applications of institutions
/// @notice Refuses an application that is malformed, late, or not signed by the account it names.
abstract contract Applications is ISiteRegistry, EIP712 {
    uint256 private constant _MAXIMUM_NAME_BYTES = 64;
    uint256 private constant _MAXIMUM_STORE_ADDRESS_BYTES = 256;
    bytes32 private constant _APPLICATION_TYPEHASH = keccak256(
        "Application(address account,string name,bytes32 metadata,bytes32 encryptionKey,"
        "string storeAddress,uint256 deadline)"
    );

    /// @notice Fix the domain that every application is signed for.
    constructor() EIP712("fednet SiteRegistry", "1") {}

    function _requireWellFormed(Application calldata application) internal view {
        uint256 length = bytes(application.name).length;
        if (length == 0 || length > _MAXIMUM_NAME_BYTES) revert TextLengthInvalid(length, _MAXIMUM_NAME_BYTES);
        _requireStoreAddress(application.storeAddress);
        if (application.metadata == 0 || application.encryptionKey == 0) revert DigestZero();
        if (block.timestamp > application.deadline) revert ApplicationExpired(application.deadline);
    }

    function _requireSigned(Application calldata application, bytes calldata signature) internal view {
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    _APPLICATION_TYPEHASH,
                    application.account,
                    keccak256(bytes(application.name)),
                    application.metadata,
                    application.encryptionKey,
                    keccak256(bytes(application.storeAddress)),
                    application.deadline
                )
            )
        );
        (address signer,,) = ECDSA.tryRecover(digest, signature);
        if (signer != application.account) revert ApplicationSignatureInvalid(application.account);
    }

    function _requireStoreAddress(string calldata storeAddress) internal pure {
        uint256 length = bytes(storeAddress).length;
        if (length > _MAXIMUM_STORE_ADDRESS_BYTES) revert TextLengthInvalid(length, _MAXIMUM_STORE_ADDRESS_BYTES);
    }
}
