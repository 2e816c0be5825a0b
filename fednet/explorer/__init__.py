"""A window on the network: a read-only web application that never needs a key.

Server-rendered pages over the ledger's index, the ledger and the blob store;
no build step, no external request, complete without JavaScript. The only home
of Starlette and uvicorn.
"""

from fednet.explorer.app import create_app
from fednet.explorer.serving import Server, listen, url_of
from fednet.explorer.verifying import Kept
from fednet.explorer.window import Window

__all__ = ["Kept", "Server", "Window", "create_app", "listen", "url_of"]
