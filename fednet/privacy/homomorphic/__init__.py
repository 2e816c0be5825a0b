"""Homomorphic encryption: aggregators add ciphertexts, and only sites can decrypt the sum.

The second confidential aggregation, beside ``masking``. Sites of a run share one key
and encrypt their updates; aggregators without the key add the ciphertexts, the audit
adds them again; each site decrypts the sum by itself. See docs/adr/0024.

- ``scheme``: what a scheme has to give; one with a threshold drops in here.
- ``ckks``, ``seal_bytes``: CKKS by TenSEAL, an extra that only who holds a key needs.
- ``values``: updates as whole numbers with their weight inside, and the mean of a sum.
- ``adding``: the ciphertext of a sum, by NumPy alone, the same bytes for everybody.
- ``headers``: what updates and sums say of themselves.

What it does not do: **all sites share one secret key**. Whoever holds it and gets at
the ciphertext of a single update reads that update. So ciphertexts are sealed to
aggregators that do not hold the key; a site and an aggregator that collude are not
kept out, as a scheme with a threshold would. And as with masks, one included site
can spoil the sum, and nobody can say which.
"""

from fednet.privacy.homomorphic.adding import add, require_all_words, require_words
from fednet.privacy.homomorphic.ckks import CKKS, CkksKey
from fednet.privacy.homomorphic.headers import (
    MOST_SUMMED,
    TENSOR_DTYPE,
    SumHeader,
    Summed,
    encrypted_layout,
    read_encrypted_metadata,
    read_sum_header,
    write_encrypted_header,
    write_sum_header,
)
from fednet.privacy.homomorphic.scheme import (
    WORD_SIZE_BYTES,
    Decrypting,
    Encrypting,
    Form,
    WholeArray,
    WordArray,
)
from fednet.privacy.homomorphic.values import decrypt_mean, encrypt_update, fit_numbers

__all__ = [
    "CKKS",
    "MOST_SUMMED",
    "TENSOR_DTYPE",
    "WORD_SIZE_BYTES",
    "CkksKey",
    "Decrypting",
    "Encrypting",
    "Form",
    "SumHeader",
    "Summed",
    "WholeArray",
    "WordArray",
    "add",
    "decrypt_mean",
    "encrypt_update",
    "encrypted_layout",
    "fit_numbers",
    "read_encrypted_metadata",
    "read_sum_header",
    "require_all_words",
    "require_words",
    "write_encrypted_header",
    "write_sum_header",
]
