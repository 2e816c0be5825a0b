"""The explorer on a port, over a consortium whose runs were really made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Thread

from fednet.blobs import KuboStore
from fednet.codec.update import update_size_limit_bytes
from fednet.domain.checkpoint import SignedCheckpoint
from fednet.domain.identity import RunId
from fednet.domain.ledger import Phase
from fednet.explorer import Kept, Server, Window, create_app, listen, url_of
from fednet.node.checkpoints import state
from fednet.provenance import LedgerIndex
from tests.attacks.network import Network, Run

ROUNDS = 2


@contextmanager
def served(
    network: Network, folder: Path, checkpoints: Sequence[SignedCheckpoint] = ()
) -> Iterator[tuple[str, Window]]:
    """Serve the explorer over a network, for a home that keeps checkpoints; yield its address."""
    kept = Kept(checkpoints, (), folder / "audits")
    with ExitStack() as opened:
        store = KuboStore(network.kubos[0].node.endpoint, folder / "cache")
        opened.enter_context(closing(store))
        index = LedgerIndex.open(folder / "index.sqlite", network.reader.deployment)
        opened.enter_context(closing(index))
        window = Window(network.reader, store, index, 1.0, lambda: kept)
        opened.enter_context(closing(window))
        window.start()
        listening = listen("127.0.0.1", 0)
        url = url_of(listening)
        server = Server(create_app(window))
        thread = Thread(target=server.serve_on, args=(listening,), name="explorer")
        thread.start()
        try:
            yield url, window
        finally:
            server.stop()
            thread.join()


def played(network: Network, **changes: object) -> Run:
    """Let four sites train for two rounds."""
    with network.open(network.members(), rounds=ROUNDS, **changes) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
    return run


def signed(network: Network, run: Run) -> SignedCheckpoint:
    """Let the first site's node sign what the chain says of a run."""
    member = run.members[0]
    said = state(network.reader, member.site, run.history, network.reader.head().number)
    return member.writer.sign_checkpoint(said)


def tamper(network: Network, run: Run, round_number: int = ROUNDS) -> tuple[RunId, str]:
    """Alter the second site's update of a round in every store; name the run and the update."""
    victim = run.submissions(round_number)[run.members[1].site]
    limit = update_size_limit_bytes(run.plan)
    path = run.members[1].store.fetch(victim.commitment, [victim.locator], limit, 30.0)
    content = path.read_bytes()
    altered = [
        alter(network.folder / f"repo {number}", content) for number in range(len(network.kubos))
    ]
    assert sum(altered)
    return run.run, str(victim.commitment)


def alter(folder: Path, content: bytes) -> int:
    """Flip a bit of the content wherever a file below the folder holds it; count the files."""
    altered = 0
    for path in folder.rglob("*"):
        if path.is_file() and content in (data := path.read_bytes()):
            at = data.index(content) + len(content) - 1
            path.chmod(0o600)
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            altered += 1
    return altered
