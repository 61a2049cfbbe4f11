"""The `genesis` command: registers the subcommands and turns known failures into sentences."""

import errno
import os
import sys
import traceback
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

EXPECTED = (
    "CommandError",
    "SettingsError",
    "BrokerUnreachable",
    "BrokerMissing",
    "RecordingError",
    "StoreError",
    "VenueError",
    "FeedError",
    "LedgerError",
    "KeysError",
    "GateClosed",
    "CredentialsMissing",
    "TradingError",
    "ForkServerError",
    "ReleaseError",
    "LedgerError",
)
"""Names of exceptions whose message, or whose heirs' message, is a sentence for the user."""

MODULES = {
    "up": "up",
    "replay": "replay",
    "tui": "dashboard",
    "venue": "venue",
    "record": "record",
    "backtest": "backtest",
    "strategy": "strategy",
    "stress-test": "stress_test",
    "simulate-trader": "simulate_trader",
    "order": "order",
    "kill": "kill",
    "sql": "sql",
    "topics": "topics",
    "correlation": "correlation",
    "positions": "positions",
    "orders": "orders",
    "pnl": "pnl",
    "why": "why",
    "tilt": "tilt",
    "audit": "audit",
    "status": "status",
    "doctor": "doctor",
    "migrate": "migrate",
    "release": "release",
    "keys": "keys",
    "run": "processes",
    "healthcheck": "healthcheck",
}
"""The module of each command: its function has the command's name, or it has an ``app`` of subcommands."""

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}

STORAGE_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"genesis {metadata.version('genesis-stream')}")
        raise typer.Exit


class Commands(TyperGroup):
    """The subcommands, each imported when it is asked for: a process loads what it runs and no more."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is the library's
        """Return the names, in the order of the help."""
        return list(MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the signature is the library's
        """Return one command, or None when there is none of that name."""
        if cmd_name not in MODULES:
            return None
        module = import_module(f"genesis.cli.{MODULES[cmd_name]}")
        if hasattr(module, "app"):
            command = typer.main.get_command(module.app)
        else:
            alone = typer.Typer(add_completion=False, context_settings=HELP_OPTIONS)
            alone.command(cmd_name)(getattr(module, cmd_name.replace("-", "_")))
            command = typer.main.get_command(alone)
        command.name = cmd_name
        return command


def _application() -> typer.Typer:
    app = typer.Typer(
        name="genesis",
        cls=Commands,
        epilog="Start with `genesis up`; look with `genesis tui`; ask with `genesis sql`.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings=HELP_OPTIONS,
    )

    @app.callback()
    def root(
        version: Annotated[
            bool,
            typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end."),
        ] = False,
    ) -> None:
        """Market intelligence and disciplined execution for small crypto accounts."""

    return app


def _sentence(error: BaseException) -> str | None:
    """Return the sentence for a failure that is not a defect of ours, else None."""
    if isinstance(error, OSError) and error.errno in STORAGE_FULL:
        where = f" at {error.filename}" if error.filename else ""
        return f"the disk is full{where}. Free some space, or choose another data folder with --data"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return "the port is in use by another program. Choose another with --port, or 0 for a free one"
    if any(kind.__name__ in EXPECTED for kind in type(error).__mro__):
        return str(error)
    if isinstance(error, PermissionError | FileNotFoundError | IsADirectoryError):
        return f"{error.filename or 'a file'}: {(error.strerror or str(error)).lower()}"
    return None


def _report_defect(error: BaseException) -> str:
    data = Path(os.environ.get("GENESIS_DATA", ".genesis"))
    target = (data if data.is_dir() else Path()) / "genesis-defect.log"
    try:
        target.write_text("".join(traceback.format_exception(error)))
    except OSError:
        return f"a defect in GENESIS: {type(error).__name__}: {error}"
    return f"a defect in GENESIS: {type(error).__name__}: {error}. What led to it is in {target}"


def main() -> None:
    """Run the command line; the exit status is 0 only when the command did what was asked."""
    try:
        _application()()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last place where a failure can become a sentence
        sys.stderr.write(f"genesis: {_sentence(error) or _report_defect(error)}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
