"""The ledger on an Ethereum chain: reader, writer, deployment, keys, local chains.

The only home of web3 and eth-account. Nothing here decides what to do; the
ports it implements stand in ``fednet.domain.ports``. Import the submodule you
need: ``reader``, ``writer``, ``deploy``, ``deployment``, ``keystore``,
``chains``.
"""

from fednet.ledger.lean import import_keyfile

import_keyfile()
