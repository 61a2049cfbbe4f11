"""The venue put together: source, hub, player and the three interfaces on one port."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiohttp import web

from genesis.connectors.venue.control import ControlApi
from genesis.connectors.venue.fault_kinds import FaultSpec
from genesis.connectors.venue.faults import Faults
from genesis.connectors.venue.hub import Hub
from genesis.connectors.venue.player import Pace, Player
from genesis.connectors.venue.recording import open_recordings
from genesis.connectors.venue.rest import RestApi
from genesis.connectors.venue.source import Kind, Source, StreamKey
from genesis.connectors.venue.streams import parse
from genesis.connectors.venue.synthetic import SyntheticSource
from genesis.connectors.venue.trading.desk import TradingOptions
from genesis.connectors.venue.trading.side import TradingSide
from genesis.connectors.venue.websocket import Timing, WebsocketApi
from genesis.operators.records import Market
from genesis.operators.synthetic_market import SyntheticParameters

DEFAULT_PORT = 8_777


class VenueError(Exception):
    """The venue cannot be started as asked; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class VenueOptions:
    """What a venue is made of.

    Parameters
    ----------
    host, port
        Where it listens; port 0 for a free one.
    replay
        Recordings to play; none for the synthetic market.
    synthetic
        Of the synthetic market.
    duration_s
        How long the synthetic market lasts.
    speed
        Source seconds a real second, infinite for as fast as it goes; None for 1 with the synthetic
        market and as fast as it goes with recordings.
    wait_for
        Streams without listeners for which the play does not start, as ``spot/btcusdt@trade``; empty to
        start at once; None for all streams of a replay, and of anything at full speed.
    faults
        Faults armed from the start.
    timing
        Pings and lifetime of connections.
    trading
        Accounts, and the latency of orders.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    replay: tuple[str, ...] = ()
    synthetic: SyntheticParameters = field(default_factory=SyntheticParameters)
    duration_s: float = math.inf
    speed: float | None = None
    wait_for: tuple[str, ...] | None = None
    faults: tuple[FaultSpec, ...] = ()
    timing: Timing = field(default_factory=Timing)
    trading: TradingOptions = field(default_factory=TradingOptions)

    @property
    def pace(self) -> Pace:
        """How fast to play, and whether to wait."""
        speed = self.speed if self.speed is not None else math.inf if self.replay else 1.0
        waits = bool(self.replay) or math.isinf(speed) if self.wait_for is None else bool(self.wait_for)
        return Pace(speed, waits)

    def open_source(self) -> Source:
        """Return the source.

        Raises
        ------
        RecordingError
            When a recording cannot be used.
        """
        if self.replay:
            return open_recordings(self.replay)
        return SyntheticSource(self.synthetic, self.duration_s, live=self.pace.is_timed)


class VenueServer:
    """A venue that is not listening yet.

    Raises
    ------
    RecordingError, FaultError, VenueError, AccountsError
        When the options name what there is not.
    """

    def __init__(self, options: VenueOptions) -> None:
        source = options.open_source()
        pace = options.pace
        awaited = _awaited(source, options.wait_for) if pace.waits else []
        self.source = source
        self.hub = Hub(source, awaited)
        self.faults = Faults(source.instruments, source.start_ns)
        for spec in options.faults:
            self.faults.add(spec)
        self.player = Player(source, self.hub, self.faults, pace)
        self.control = ControlApi(source, self.hub, self.player, self.faults, pace)
        self.app = web.Application()
        rest = RestApi(self.hub, self.player, self.faults, time.monotonic)
        self.app.add_routes(rest.routes())
        budget = rest.budget(Market.SPOT)
        self.trading = TradingSide(
            self.hub, self.player, self.faults, budget, options.trading, options.timing
        )
        self.app.add_routes(self.trading.routes())
        self.app.on_shutdown.append(self.trading.close)
        self.app.add_routes(WebsocketApi(self.hub, self.player, self.faults, options.timing).routes())
        self.app.add_routes(self.control.routes())


def _awaited(source: Source, wait_for: Iterable[str] | None) -> list[StreamKey]:
    """Return the streams to wait for."""
    if wait_for is None:
        return [key for key in source.streams if key.kind != Kind.OTHER]
    found = []
    for text in wait_for:
        prefix, _, name = text.rpartition("/")
        market = Market.__members__.get(prefix.upper() or "SPOT")
        request = parse(name, market) if market else None
        key = StreamKey(market, request.symbol, request.kind) if market and request else None
        if key not in source.streams:
            names = sorted(f"{each.market.name.lower()}/{name}" for each, name in source.streams.items())
            raise VenueError(f"there is no stream {text!r} to wait for; there are {', '.join(names[:12])}")
        found.append(key)
    return found
