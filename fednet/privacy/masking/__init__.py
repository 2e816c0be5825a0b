"""Secure aggregation: everybody learns the weighted sum of the updates, nobody a single one.

Double masking with Shamir shares (Bonawitz et al., "Practical Secure Aggregation
for Privacy-Preserving Machine Learning", 2017, https://eprint.iacr.org/2017/281)
among neighbours on a graph (Bell et al., "Secure Single-Server Aggregation with
(Poly)Logarithmic Overhead", 2020, https://eprint.iacr.org/2020/704). What every
stage publishes, and why the audit can replay the sum, is in docs/adr/0021.

One module a step, in the order of an attempt:

- ``agreement``, ``parameters``: what a plan and a cohort's size make of neighbours and threshold.
- ``fixed_point``, ``ring``: float32 values as integers whose sum cannot overflow.
- ``keys``, ``derivation``: a site's keys of one attempt, all from one 32-byte root.
- ``circle``, ``graph``: stage 1, who advertised keys, and who is whose neighbour.
- ``dealing``, ``shamir``: stage 2, shares of both secrets, encrypted, with commitments.
- ``dealers``: stage 2 closed: whose shares are held by enough neighbours.
- ``adapting``: a norm that follows the sites, told inside the sum.
- ``hiding``: a share of noise in each update, where a plan hides each site in the sum.
- ``masked``, ``streams``: stage 3, the update in its masks.
- ``freezing``: stage 4, the included set, agreed before any share leaves.
- ``unmasking``: stage 5, one share of one kind for each neighbour, for one set only.
- ``recovery``: the secrets that these shares give, and who disclosed or dealt a wrong one.
- ``combining``: stage 6, the sum without its masks, and the weighted mean.
- ``replay``: all of it from what the ledger says, for a site and for an auditor alike.

All of it is a pure function of published bytes, so that an auditor gets the same
sum bit for bit; of a site's own doing only ``keys`` knows something secret.

What it does not do: it cannot tell whether a masked update is sensible, so one
included site can spoil the sum and nobody can say which. Python's integers do
not compute in constant time: who can time a site's every step to the microsecond
is not kept out.
"""

from fednet.privacy.masking.adapting import Hearing, Telling, noise_in_mean, round_norm
from fednet.privacy.masking.agreement import Agreement, agree_on, require_maskable
from fednet.privacy.masking.circle import (
    Circle,
    form_circle,
)
from fednet.privacy.masking.combining import combine
from fednet.privacy.masking.dealers import Dealers, close_dealing, pack_holding, unpack_holding
from fednet.privacy.masking.dealing import (
    Dealing,
    HeldShares,
    Received,
    deal,
    dealing_size_bytes,
    read_dealing,
    receive,
)
from fednet.privacy.masking.fixed_point import FixedPoint
from fednet.privacy.masking.freezing import Frozen, Masked, freeze
from fednet.privacy.masking.hiding import SumNoise
from fednet.privacy.masking.keys import PublicKeys, SiteSecrets
from fednet.privacy.masking.masked import (
    Values,
    mask,
    read_masked_header,
    read_masked_metadata,
    write_masked_header,
)
from fednet.privacy.masking.parameters import Bound, Parameters
from fednet.privacy.masking.recovery import Fault, Recovery, Wrong, recover
from fednet.privacy.masking.replay import (
    awaited_disclosures,
    circle_of,
    dealers_of,
    frozen_of,
    included_in,
    read_dealings,
    share_blobs,
    usable_keys,
)
from fednet.privacy.masking.ring import Ring, RingArray
from fednet.privacy.masking.unmasking import (
    Unmasking,
    bind,
    disclose,
    disclosure_size_bytes,
    read_disclosure,
)

__all__ = [
    "Agreement",
    "Bound",
    "Circle",
    "Dealers",
    "Dealing",
    "Fault",
    "FixedPoint",
    "Frozen",
    "Hearing",
    "HeldShares",
    "Masked",
    "Parameters",
    "PublicKeys",
    "Received",
    "Recovery",
    "Ring",
    "RingArray",
    "SiteSecrets",
    "SumNoise",
    "Telling",
    "Unmasking",
    "Values",
    "Wrong",
    "agree_on",
    "awaited_disclosures",
    "bind",
    "circle_of",
    "close_dealing",
    "combine",
    "deal",
    "dealers_of",
    "dealing_size_bytes",
    "disclose",
    "disclosure_size_bytes",
    "form_circle",
    "freeze",
    "frozen_of",
    "included_in",
    "mask",
    "noise_in_mean",
    "pack_holding",
    "read_dealing",
    "read_dealings",
    "read_disclosure",
    "read_masked_header",
    "read_masked_metadata",
    "receive",
    "recover",
    "require_maskable",
    "round_norm",
    "share_blobs",
    "unpack_holding",
    "usable_keys",
    "write_masked_header",
]
