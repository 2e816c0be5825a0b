"""`fednet site`: invite, apply, admit, appoint, suspend, revoke, list."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import applying, listings, output, queries, wiring
from fednet.cli.amounts import ETHER, to_wei
from fednet.cli.app import (
    App,
    Signer,
    account_options,
    confirm,
    example,
    json_option,
    pass_app,
    read_text,
    yes_option,
)
from fednet.cli.invitation import new_code
from fednet.domain.identity import SiteId
from fednet.domain.ledger import Role

_NODE_ROLES = ("site", "aggregator", "researcher")


@click.group(
    epilog=example(
        "as the operator",
        "fednet site invite clinic.json     then give file and code to the clinic",
        "fednet site list",
        "fednet site admit 3",
    )
)
def site() -> None:
    """Institutions: invite, apply, admit, suspend, revoke."""


@site.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True,
                type=click.Path(path_type=Path, dir_okay=False))  # fmt: skip
@click.option("--chain-url", help="Address of the chain as the invitee reaches it.")
@click.option("--peer", "peers", multiple=True, help="Multiaddress of a hub; repeatable.")
@click.option("--gas", type=ETHER, default="0.01", show_default=True, help="Ether for applying.")
@click.option("--task", help="Task that the invitee is to check its data against.")
@account_options
@pass_app
def invite(
    app: App,
    files: tuple[Path, ...],
    chain_url: str | None,
    peers: tuple[str, ...],
    gas: str,
    task: str | None,
    account: str | None,
    password_file: Path | None,
) -> None:
    """Write an invitation FILE, and print the code that opens it.

    Each institution needs a file of its own. The file can be sent by any way;
    tell the code by another one. The code is shown once and kept nowhere.
    """
    writer = wiring.writer(app, Signer(account, password_file))
    for file in files:
        code = new_code()
        applying.invite(app, writer, file, code, chain_url, peers, to_wei(gas), task)
        output.say(f"wrote {file}; give the invitee this code by another way:")
        click.echo(code)


@site.command()
@click.option("--name", required=True, help="Name of the institution; never a person's.")
@click.option("--store-address", default="", help="Multiaddress others can dial; none by default.")
@click.option(
    "--description-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Description the operator has seen; only its SHA-256 goes on the chain.",
)
@account_options
@pass_app
def apply(
    app: App,
    name: str,
    store_address: str,
    description_file: Path | None,
    account: str | None,
    password_file: Path | None,
) -> None:
    """Apply with an account that can pay for gas; `node join` needs no funds."""
    signer = Signer(account, password_file)
    writer = wiring.writer(app, signer)
    description = read_text(None, description_file, "description", optional=True)
    key = applying.encryption_keys(app, signer).public_key()
    number = applying.apply(app, writer, writer, name, description, key, store_address)
    click.echo(f"site {number} applied; the operator admits it: fednet site admit {number}")


@site.command()
@click.argument("numbers", metavar="SITE...", nargs=-1, required=True, type=int)
@click.option("--gas", type=ETHER, default="0.05", show_default=True, help="Ether for its node.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(_NODE_ROLES),
    default=("site", "aggregator"),
    show_default=True,
    help="Role of its node's account; repeatable.",
)
@account_options
@pass_app
def admit(
    app: App,
    numbers: tuple[int, ...],
    gas: str,
    roles: tuple[str, ...],
    account: str | None,
    password_file: Path | None,
) -> None:
    """Admit SITE, and give its account gas."""
    writer = wiring.writer(app, Signer(account, password_file))
    reader = wiring.reader(app)
    for number in numbers:
        writer.admit(queries.require_site(reader, number), _roles(roles), to_wei(gas))
        click.echo(f"site {number} admitted with {gas} ether and the roles {', '.join(roles)}")


@site.command()
@click.argument("number", metavar="SITE", type=int)
@account_options
@pass_app
def suspend(app: App, number: int, account: str | None, password_file: Path | None) -> None:
    """Stop SITE's acts until it is reinstated."""
    writer = wiring.writer(app, Signer(account, password_file))
    writer.suspend(queries.require_site(wiring.reader(app), number))
    click.echo(f"site {number} suspended")


@site.command()
@click.argument("number", metavar="SITE", type=int)
@account_options
@pass_app
def reinstate(app: App, number: int, account: str | None, password_file: Path | None) -> None:
    """Let a suspended SITE act again."""
    writer = wiring.writer(app, Signer(account, password_file))
    writer.reinstate(queries.require_site(wiring.reader(app), number))
    click.echo(f"site {number} reinstated")


@site.command()
@click.argument("number", metavar="SITE", type=int)
@yes_option
@account_options
@pass_app
def revoke(
    app: App, number: int, yes: bool, account: str | None, password_file: Path | None
) -> None:
    """Stop SITE's acts for ever; what it did stands."""
    confirm(f"revoke site {number} for ever?", yes)
    writer = wiring.writer(app, Signer(account, password_file))
    writer.revoke(queries.require_site(wiring.reader(app), number))
    click.echo(f"site {number} revoked")


@site.command()
@click.argument("number", metavar="SITE", type=int)
@click.argument("person", metavar="ADDRESS")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(("researcher", "operator")),
    default=("researcher",),
    show_default=True,
    help="Role of the account; repeatable. Operators belong to site 0.",
)
@account_options
@pass_app
def appoint(
    app: App,
    number: int,
    person: str,
    roles: tuple[str, ...],
    account: str | None,
    password_file: Path | None,
) -> None:
    """Give an account of SITE its roles; SITE 0 is the consortium."""
    writer = wiring.writer(app, Signer(account, password_file))
    address = wiring.address(person)
    writer.set_account_roles(SiteId(number), address, _roles(roles))
    click.echo(f"{address} is now {', '.join(roles)} of site {number}")


@site.command()
@click.argument("number", metavar="SITE", type=int)
@click.argument("person", metavar="ADDRESS")
@account_options
@pass_app
def dismiss(
    app: App, number: int, person: str, account: str | None, password_file: Path | None
) -> None:
    """Take every role from an account of SITE."""
    writer = wiring.writer(app, Signer(account, password_file))
    address = wiring.address(person)
    writer.set_account_roles(SiteId(number), address, Role.NONE)
    click.echo(f"{address} holds no role any more")


@site.command("rotate-account")
@click.argument("number", metavar="SITE", type=int)
@click.argument("new", metavar="ADDRESS")
@click.option("--gas", type=ETHER, default="0", help="Ether to hand on to the new account.")
@account_options
@pass_app
def rotate_account(
    app: App, number: int, new: str, gas: str, account: str | None, password_file: Path | None
) -> None:
    """Replace the account of SITE's node; by that account or an operator.

    The old account can do nothing from then on. Name the new keystore in
    account.keystore, and start the node again.
    """
    writer = wiring.writer(app, Signer(account, password_file))
    address = wiring.address(new)
    wanted = queries.require_site(wiring.reader(app), number)
    if to_wei(gas):
        writer.send_wei(address, to_wei(gas))
    writer.rotate_account(wanted, address)
    click.echo(f"site {number} acts with {address} from now on")


@site.command("rotate-key")
@account_options
@pass_app
def rotate_key(app: App, account: str | None, password_file: Path | None) -> None:
    """Replace this site's encryption key; the old one is kept beside it."""
    signer = Signer(account, password_file)
    writer = wiring.writer(app, signer)
    number = queries.own_site(wiring.reader(app), writer.address)
    applying.encryption_keys(app, signer).rotate(lambda key: writer.rotate_key(number, key))
    click.echo(f"site {number} has a new encryption key")


@site.command("move-store")
@account_options
@pass_app
def move_store(app: App, account: str | None, password_file: Path | None) -> None:
    """Register the address of this home's store, as the settings have it now."""
    writer = wiring.writer(app, Signer(account, password_file))
    number = queries.own_site(wiring.reader(app), writer.address)
    address = wiring.own_address(app)
    writer.move_store(number, address)
    click.echo(f"site {number}'s store: {address or 'dials out only'}")


@site.command("list")
@json_option
@pass_app
def list_sites(app: App, as_json: bool) -> None:
    """List every institution that ever applied."""
    listings.sites(app, as_json)


def _roles(names: tuple[str, ...]) -> Role:
    roles = Role.NONE
    for name in names:
        roles |= Role[name.upper()]
    return roles
