"""Warm-up of an image: import every module once, and compile every kernel into NUMBA_CACHE_DIR.

``python -m genesis.cli.warm`` runs when an image is built, so that no part compiles anything at its start.
"""

import os
import pkgutil
from importlib import import_module
from types import ModuleType

from genesis import cli, connectors, flows, operators, tui

NOT_IMPORTED = ("__main__", "warm")
"""Last parts of the names of modules that run when they are imported."""


def import_all(*packages: ModuleType) -> int:
    """Import every module of these packages; return how many there are."""
    found = 0
    for package in packages:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] not in NOT_IMPORTED:
                import_module(module.name)
                found += 1
    return found


def compile_kernels() -> None:
    """Compile the kernels of the parts on two cores; what both needed at once is looked after at the end."""
    from genesis.connectors.feed import warm
    from genesis.flows import account, market
    from genesis.operators import pairs_fold

    child = os.fork()
    if child == 0:
        try:
            for module in (warm, account, pairs_fold):
                module.compile_kernels()
        finally:
            os._exit(0)
    market.compile_kernels()
    os.waitpid(child, 0)
    for each in (warm, account, market):
        each.compile_kernels()


if __name__ == "__main__":
    import_all(cli, connectors, flows, operators, tui)
    compile_kernels()
