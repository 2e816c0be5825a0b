"""Start, look at and stop a home's own chain, and fund its operator."""

from __future__ import annotations

from fednet.cli import home, wiring
from fednet.cli.amounts import to_wei
from fednet.cli.app import App, Signer
from fednet.domain.identity import Address
from fednet.errors import LedgerUnavailableError

OPERATOR = "operator"
_FUNDS_WEI = to_wei("1000")


def start(app: App, engine: str, port: int, signer: Signer) -> tuple[str, Address | None]:
    """Start the chain; before anything is deployed, make and fund the operator's account.

    Returns:
        Address of the chain, and the operator's account; None if its key is not here.

    Raises:
        SettingsError: The port is in use, or the home holds another engine's chain.
    """
    path = home.keystore_path(app, OPERATOR)
    # The password is asked for before a chain is left running without an operator.
    has_operator = path.exists() or app.path(app.settings().chain.deployment).exists()
    password = "" if has_operator else signer.password(app, new=True)
    home.make(app)
    chain = wiring.local_chain(app, engine, port)
    url = chain.start()
    if not has_operator:
        chain.fund(wiring.create_keystore(app, path, password), _FUNDS_WEI)
    if path.exists():
        home.use_if_first(app, OPERATOR)
    app.update({"chain": {"url": url, "engine": engine}})
    return url, wiring.keystore_address(path) if path.exists() else None


def status(app: App) -> dict[str, object]:
    """Tell whether the chain of the settings answers.

    Raises:
        LedgerUnavailableError: It does not.
    """
    stored = app.settings().chain
    found: dict[str, object] = {"url": stored.url, "block": wiring.chain_height(app)}
    if stored.engine:
        local = wiring.local_chain(app, stored.engine, 0)
        if local.url == stored.url:
            found |= {"engine": stored.engine, "process": local.status().pid or None}
    return found


def stop(app: App) -> bool:
    """Stop the home's own chain; tell whether it ran.

    Raises:
        LedgerUnavailableError: This home has no chain of its own.
    """
    engine = app.settings().chain.engine
    if not engine:
        raise LedgerUnavailableError(
            "this home has no chain of its own",
            subject=str(app.home),
            hint="`fednet chain start` makes one; any other chain is stopped where it runs",
        )
    return wiring.local_chain(app, engine, 0).stop()
