"""What others read of a run: PROV-JSON, RO-Crate, reports, model cards.

Each is a pure function of a dossier, which is gathered from ledger, store and
audit. No key is touched here: a seal comes from elsewhere. ``fednet.exports.pdf``
is left to whoever writes a PDF, for its library is slow to load.
"""

from fednet.exports.adaptedcard import AdaptedModel, write_adapted_card
from fednet.exports.crate import Crate, make_crate, write_crate
from fednet.exports.dossier import FinalRound, RunDossier
from fednet.exports.extracting import Taken, model_bytes, take_model
from fednet.exports.gathering import Gatherer
from fednet.exports.layout import write_html
from fednet.exports.modelcard import MODEL_FILE, write_card, write_lineage
from fednet.exports.provjson import write_prov
from fednet.exports.reporting import make_statement
from fednet.exports.statement import MAX_SIGNED_SIZE_BYTES, Seal, SignedStatement, Statement
from fednet.exports.writing import copy_verified, require_free, write_files

__all__ = [
    "MAX_SIGNED_SIZE_BYTES",
    "MODEL_FILE",
    "AdaptedModel",
    "Crate",
    "FinalRound",
    "Gatherer",
    "RunDossier",
    "Seal",
    "SignedStatement",
    "Statement",
    "Taken",
    "copy_verified",
    "make_crate",
    "make_statement",
    "model_bytes",
    "require_free",
    "take_model",
    "write_adapted_card",
    "write_card",
    "write_crate",
    "write_files",
    "write_html",
    "write_lineage",
    "write_prov",
]
