"""The control interface under ``/genesis``: status and faults. It answers to loopback only."""

import ipaddress
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from genesis.connectors.venue.fault_kinds import FaultError, FaultSpec, Value, parse_fault
from genesis.connectors.venue.faults import Faults
from genesis.connectors.venue.hub import Hub
from genesis.connectors.venue.player import Pace, Player, State
from genesis.connectors.venue.source import Source


class _FaultRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request for a fault: either ``spec`` or the rest."""

    spec: str = ""
    kind: str = ""
    target: str = "*"
    parameters: dict[str, Value] = {}


class ControlApi:
    """Status and faults over HTTP."""

    def __init__(self, source: Source, hub: Hub, player: Player, faults: Faults, pace: Pace) -> None:
        self._source = source
        self._hub = hub
        self._player = player
        self._faults = faults
        self._pace = pace

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/genesis/status", guarded(self._status)),
            web.get("/genesis/faults", guarded(self._list)),
            web.post("/genesis/faults", guarded(self._add)),
            web.delete("/genesis/faults", guarded(self._clear)),
            web.delete("/genesis/faults/{number:\\d+}", guarded(self._clear)),
        ]

    def status(self) -> dict[str, object]:
        """Return how far the play is and who listens."""
        player, hub, counts = self._player, self._hub, self._source.counts
        streams = {}
        for key in sorted(hub.all_streams()):
            listeners = len(hub.listeners([key]))
            played, sent = player.played.get(key, 0), player.sent.get(key, 0)
            streams[hub.stream_name(key)] = {"played": played, "sent": sent, "subscribers": listeners}
        fraction = self._source.fraction()
        return {
            "state": player.state.value,
            "finished": player.state in (State.FINISHED, State.FAILED),
            "error": player.error or None,
            "source": self._source.description,
            "speed": self._pace.speed if self._pace.is_timed else "max",
            "instruments": [each.name for each in hub.instruments.values()],
            "position": {
                "messages": player.position,
                "recv_ns": player.recv_ns,
                "event_ms": player.event_ms,
                "fraction": fraction,
            },
            "sent_total": player.position,
            "total": round(player.position / fraction) if fraction else None,
            "waiting_for": hub.uncovered() if player.state == State.WAITING else [],
            "connections": len(hub.connections),
            "slow_clients_cut_off": player.slow_clients,
            "counts": counts.by_market(),
            "instrument_counts": counts.by_instrument(),
            "streams": streams,
            "faults_fired": self._faults.fired,
        }

    async def _status(self, _request: web.Request) -> web.Response:
        return _json(self.status())

    async def _list(self, _request: web.Request) -> web.Response:
        return _json({"faults": self._faults.describe()})

    async def _add(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=_FaultRequest)
            if wanted.spec:
                spec = parse_fault(wanted.spec)
            else:
                spec = FaultSpec(wanted.kind, wanted.target, wanted.parameters)
            return _json(self._faults.add(spec).describe(), 201)
        except (msgspec.DecodeError, FaultError) as error:
            return _json({"error": str(error)}, 400)

    async def _clear(self, request: web.Request) -> web.Response:
        number = request.match_info.get("number")
        removed = self._faults.remove(None if number is None else int(number))
        return _json({"removed": removed}, 404 if number is not None and not removed else 200)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(handler: Handler) -> Handler:
    """Return a handler that answers to this machine only."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        remote = request.remote or ""
        if not ipaddress.ip_address(remote.partition("%")[0] or "0.0.0.0").is_loopback:
            return _json({"error": "the control interface answers to loopback only"}, 403)
        return await handler(request)

    return guarded


def _json(answer: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")
