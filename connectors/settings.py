"""Settings: everything that can be configured, read once from ``GENESIS_*`` variables.

A variable that is not a setting is an error: a misspelt one would otherwise be ignored.
Durations carry their unit in the name. Secrets never appear in ``repr``. Each may be in a file instead, which
the variable with ``_FILE`` behind its name names: ``GENESIS_LEDGER_URL_FILE=/run/secrets/ledger_url``.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "GENESIS_"

IN_FILE = "_FILE"
"""Behind the name of a secret: the variable that names the file where it is."""

SECRET_BYTES_MAX = 65_536
"""Nothing larger is taken for a secret."""


class SettingsError(ValueError):
    """A setting is unknown or has a value that cannot be used; the message says which and why."""


class Venue(StrEnum):
    """Where market data comes from."""

    SIMULATOR = "simulator"
    BINANCE = "binance"


class Trading(StrEnum):
    """Where orders go."""

    SIMULATOR = "simulator"
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


def _half_lives(text: str) -> str:
    for part in text.split(","):
        if part.strip() != "equal" and not float(part) > 0.0:
            raise ValueError("half-lives must be positive seconds, or the word 'equal'")
    return text


class Colour(StrEnum):
    """Which of two versions of the market flow a process is."""

    NONE = ""
    BLUE = "blue"
    GREEN = "green"


class Settings(BaseSettings):
    """The configuration of one process.

    Every field is read from the environment under its upper-case name with ``GENESIS_`` before it.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    data: Path = Field(
        Path(".genesis"), description="folder for all that is kept: store, recovery, logs, run file"
    )
    broker: str = Field("", description="Kafka bootstrap servers; empty for the embedded broker")
    embedded_broker: bool = Field(
        False,
        description="set by `genesis up`: the broker is the embedded one, so topics roll to bound its memory",
    )
    store_url: str = Field("", description="ClickHouse HTTP address; empty for the embedded store")
    store_port: int = Field(
        0, ge=0, le=65_535, description="loopback port of the embedded store; 0 for a free one"
    )
    store_user: str = Field("default", description="ClickHouse user")
    store_password: SecretStr = Field(SecretStr(""), description="ClickHouse password")
    database: str = Field("genesis", description="ClickHouse database", pattern=r"^[a-z_][a-z0-9_]*$")
    venue: Venue = Field(Venue.SIMULATOR, description="where market data comes from: simulator or binance")
    venue_url: str = Field("", description="http address of the simulator; empty for Binance's public hosts")
    symbols: Annotated[str, NoDecode] = Field(
        "",
        description="instruments to follow, comma separated, as spot:BTCUSDT; empty for all the venue offers",
    )
    shards: int = Field(2, ge=1, le=256, description="partitions of every sharded topic")
    workers: int = Field(1, ge=1, le=64, description="Bytewax workers of the market flow")
    colour: Colour = Field(
        Colour.NONE,
        description="market flow: blue or green beside another version of it, see `genesis release`; empty "
        "for one alone",
    )
    lateness_ms: int = Field(250, ge=0, le=60_000, description="how far the watermark trails the newest row")
    frame_rows: int = Field(1_000, ge=1, le=100_000, description="most rows in one frame")
    frame_wait_ms: float = Field(
        5.0, ge=0.0, le=1_000.0, description="longest time a row waits for its frame to fill"
    )
    half_lives_s: Annotated[str, AfterValidator(_half_lives)] = Field(
        "60,300,3600",
        description="half-lives of the EWMA correlation in seconds, comma separated; 'equal' for none",
    )
    pair_step_s: int = Field(
        60, ge=1, le=86_400, description="time between the samples from which pairs are learned"
    )
    account: str = Field("main", description="name of the account", pattern=r"^[a-z0-9_-]{1,32}$")
    trading: Trading = Field(
        Trading.SIMULATOR,
        description="where orders go: simulator, paper (matched here against the quotes), testnet or live",
    )
    paper_capital: str = Field(
        "500",
        description="USDT that paper trading begins with",
        pattern=r"^[0-9]{1,12}(\.[0-9]{1,8})?$",
    )
    unlock_live: str = Field(
        "", description="must be the words `I trade real money` before an order goes to Binance itself"
    )
    credentials_file: str = Field(
        "", description="JSON file with api_key and secret of the exchange account, readable by you alone"
    )
    api_key: SecretStr = Field(SecretStr(""), description="API key of the exchange account")
    api_secret: SecretStr = Field(
        SecretStr(""), description="secret of the exchange account, or its private key in PEM"
    )
    vault_address: str = Field("", description="address of Vault, as https://vault:8200")
    vault_path: str = Field(
        "", description="secret in Vault's KV version 2 with api_key and secret, as secret/genesis/exchange"
    )
    vault_token: SecretStr = Field(SecretStr(""), description="token that may read it; empty for an AppRole")
    vault_role_id: str = Field("", description="role id of an AppRole, in place of a token")
    vault_secret_id: SecretStr = Field(SecretStr(""), description="secret id of that AppRole")
    ledger_url: SecretStr = Field(
        SecretStr(""),
        description="database of the ledger, as postgresql+psycopg://user@host/database; empty for SQLite in "
        "the data folder",
    )
    anchor: str = Field(
        "",
        description="folder of the audit chain's anchor, best on another disk or host; empty for anchors/ in "
        "the data folder",
    )
    keys: str = Field(
        "", description="folder of the keys, one file for each role; empty for keys/ in the data folder"
    )
    epoch_s: float = Field(5.0, gt=0.0, le=600.0, description="time between recovery snapshots of a flow")
    generation_mb: int = Field(
        2, ge=1, le=65_536, description="embedded broker: a topic starts a new generation after this many MB"
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="port of /livez, /readyz and /metrics of a process; 0 for none. `genesis up` gives it to "
        "its first part and the following ones to the others",
    )
    metrics_host: str = Field("127.0.0.1", description="address to serve them on", min_length=1)
    log_cap_mb: int = Field(
        10_000,
        description="megabytes that the log files of a system take at most, set-aside ones too",
        ge=100,
    )
    log_level: str = Field(
        "info", description="debug, info, warning or error", pattern="^(debug|info|warning|error)$"
    )

    _files: dict[str, str] = PrivateAttr(default_factory=dict)
    """Files that secrets were read from, by the secret's field."""

    @property
    def half_lives_ns(self) -> tuple[int, ...]:
        """Half-lives in ns, ascending; 0 stands for equal weights."""
        parts = [part.strip() for part in self.half_lives_s.split(",")]
        return tuple(sorted({0 if part == "equal" else round(float(part) * 1e9) for part in parts}))


SECRETS = tuple(name for name, field in Settings.model_fields.items() if field.annotation is SecretStr)
"""Fields that nobody is shown, and that a file may hold."""


def variable(name: str, *, in_file: bool = False) -> str:
    """Return the variable of a field, or the one that names its file.

    >>> variable("ledger_url"), variable("ledger_url", in_file=True)
    ('GENESIS_LEDGER_URL', 'GENESIS_LEDGER_URL_FILE')
    """
    return PREFIX + name.upper() + (IN_FILE if in_file else "")


def read(**overrides: object) -> Settings:
    """Return the settings of this process: the environment, with ``overrides`` above it.

    Raises
    ------
    SettingsError
        For an unknown ``GENESIS_*`` variable, a value outside its range, or a secret's file that cannot be
        used.
    """
    known = {variable(name) for name in Settings.model_fields}
    known |= {variable(name, in_file=True) for name in SECRETS}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            raise SettingsError(
                f"{name} is not a setting of GENESIS; see `genesis doctor --settings` for all of them"
            )
    files = {
        name: os.environ[variable(name, in_file=True)]
        for name in SECRETS
        if name not in overrides and os.environ.get(variable(name, in_file=True))
    }
    given = {name: _secret(name, path) for name, path in files.items()} | overrides
    try:
        found = Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        shown = "" if field in SECRETS else f", was {first['input']!r}"
        raise SettingsError(
            f"{variable(field) if field else 'settings'}: {first['msg'].removeprefix('Value error, ')}{shown}"
        ) from None
    found._files.update(files)  # noqa: SLF001 - of the class above
    return found


def _secret(name: str, path: str) -> str:
    """Return what a secret's file holds, without the end of its last line."""
    called = variable(name, in_file=True)
    if os.environ.get(variable(name)):
        raise SettingsError(f"{variable(name)} and {called} are both set: keep one of them, best the file")
    try:
        with Path(path).open("rb") as file:
            body = file.read(SECRET_BYTES_MAX + 1)
        text = body.decode().rstrip("\r\n")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SettingsError(
            f"{called}: the secret {path} cannot be read ({why}). Put it there, or name another file"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{called}: {path} is not text, so it is not this secret") from None
    if not text or len(body) > SECRET_BYTES_MAX:
        size = "empty" if not text else f"larger than {SECRET_BYTES_MAX} bytes"
        raise SettingsError(f"{called}: {path} is {size}, so it is not this secret. Put it there again")
    return text


def to_environment(settings: Settings) -> dict[str, str]:
    """Return ``settings`` as the variables that a child process reads; a secret in a file stays there."""
    variables = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        path = settings._files.get(name, "")  # noqa: SLF001 - of the class above
        variables[variable(name)] = "" if path else text
        if name in SECRETS:
            variables[variable(name, in_file=True)] = path
    return variables
