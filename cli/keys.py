"""`genesis keys`: make the keys with which the parts of a system know each other."""

import typer

from genesis.cli import options
from genesis.connectors import keys as keys_of


def keys(data: options.Data = None) -> None:
    """Make the keys of every role in GENESIS_KEYS, else in the data folder's keys/, and end.

    A key that is there already stays as it is, so it may run as often as you like. `genesis up` makes them
    itself; a cluster has them made once, as a secret from which each part is given only its own.

    Example: GENESIS_KEYS=new-keys genesis keys
    """
    settings = options.configured(data)
    ring = keys_of.create_keys(settings)
    typer.echo(f"{len(ring)} keys are in {keys_of.folder_of(settings)}: {', '.join(ring)}")
