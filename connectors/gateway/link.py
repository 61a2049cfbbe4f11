"""WebSocket API by the official SDK, held so that nothing it does quietly can be missed.

Left to itself the SDK drops events that come before its caller has registered, lets requests of a
dead connection wait 20 s, answers an order with the text "Websocket Reconnect", reconnects without
saying so, and stops reading for good after one malformed message. Here each connection is used once:
every event has its receiver before the subscription is sent, a lost connection fails its requests at
once, and who needs another makes a new `Link` (docs/decisions/0009-gateway.md).
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, NoReturn, cast

import aiohttp
from binance_common.configuration import ConfigurationWebSocketAPI
from binance_common.signature import Signers
from binance_common.websocket import WebSocketAPIBase
from Crypto.Signature.pkcs1_15 import PKCS115_SigScheme

from genesis.connectors.gateway import hosts, wire
from genesis.connectors.gateway.credentials import Credentials
from genesis.connectors.gateway.rest import RECV_WINDOW_MS
from genesis.connectors.gateway.venues import TradingError, Unknown, Unreachable

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 10.0
"""Longest wait for an answer: that of Binance's own interface to its matching engine."""

Event = dict[str, Any]


class _EveryStream(dict[Any, Any]):
    """What the SDK looks receivers up in: it finds the same one for whatever subscription."""

    def __init__(self, receive: Callable[[Event], None]) -> None:
        super().__init__()
        self._receivers = [receive]

    def get(self, _key: Any, _default: Any = None) -> Any:
        return self._receivers


async def _refuse_redirect(*_: Any) -> NoReturn:
    raise aiohttp.ClientError("the venue redirects; redirects are not followed")


def _session() -> aiohttp.ClientSession:
    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(trace_configs=[tracing], trust_env=False)


class Link:
    """One connection to the WebSocket API; once it is lost it stays lost.

    Parameters
    ----------
    kind
        Where orders go.
    url
        Address of the WebSocket API.
    credentials
        What requests are signed with.
    now_ms
        The venue's time of day.
    receive
        Called with every event of the user data stream.
    """

    def __init__(
        self,
        kind: hosts.Kind,
        url: str,
        credentials: Credentials,
        now_ms: Callable[[], int],
        receive: Callable[[Event], None],
    ) -> None:
        hosts.check(kind, url)
        self._kind, self._url, self._now_ms, self._receive = kind, url, now_ms, receive
        is_private = credentials.is_private_key
        self._signer: Any = Signers.get_signer(credentials.secret) if is_private else None
        self._configuration = ConfigurationWebSocketAPI(
            api_key=credentials.api_key,
            api_secret=None if is_private else credentials.secret,
            private_key=credentials.secret if is_private else None,
            stream_url=url,
            timeout=int(CONNECT_TIMEOUT_S * 1e3),
        )
        self._configuration.user_agent = "genesis"
        self._api = WebSocketAPIBase(self._configuration)  # its heir would load 30 MB of models
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.opened_s = 0.0
        self.on_rate_limits: Callable[[list[dict[str, Any]]], None] = lambda _limits: None

    def __repr__(self) -> str:
        return f"Link({self._kind}, {self._url})"

    @property
    def lost(self) -> asyncio.Future[str]:
        """Return what is done once the connection is lost, with the reason."""
        return self._lost

    async def open(self) -> None:
        """Connect, sign in where the key allows it, and subscribe to the user data stream.

        Raises
        ------
        TradingError
            When one of these does not work; the connection is closed then.
        """
        self._api.session = cast("None", _session())  # the SDK has it untyped
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._api.connect(self._url, self._configuration)
        except TimeoutError:
            pass
        if not self._api.connections:
            await self.close()
            raise Unreachable("the venue does not take connections to its WebSocket API")
        connection = self._api.connections[0]
        connection.cancel_scheduled_reconnect()
        connection.close_initiated = True  # the SDK must not reconnect behind our back
        connection.stream_callback_map = _EveryStream(self._event)
        self._api.on_connection("close", self._closed)
        self.opened_s = time.monotonic()
        try:
            await self._subscribe()
        except TradingError:
            await self.close()
            raise

    async def _subscribe(self) -> None:
        has_session = self._signer is not None and not isinstance(self._signer, PKCS115_SigScheme)
        if has_session:  # Ed25519 alone can sign in
            await self.request("session.logon", {}, session_logon=True)
            await self.request("userDataStream.subscribe", {})
        else:
            await self.request("userDataStream.subscribe.signature", {})

    async def request(self, method: str, params: dict[str, Any], **options: Any) -> Any:
        """Return the result of a signed request.

        Raises
        ------
        TradingError
            Whatever goes wrong, as what it means.
        """
        stamped = params | {"timestamp": self._now_ms()}
        if method != "userDataStream.subscribe":
            stamped["recvWindow"] = RECV_WINDOW_MS
        payload = {"method": method, "params": stamped}
        return await self._send(self._api.send_signed_message(payload, self._signer, **options))

    async def ask(self, method: str) -> Any:
        """Return the result of a request without parameters or signature; raises as `request` does."""
        return await self._send(self._api.send_message({"method": method, "params": {}}))

    async def _send(self, sending: Any) -> Any:
        if self._lost.done():
            sending.close()
            raise Unreachable("the connection is lost")
        answering = asyncio.ensure_future(sending)
        try:
            await asyncio.wait(
                {answering, self._lost}, timeout=ANSWER_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            if not answering.done():
                answering.cancel()
        if not answering.done() or answering.cancelled():
            raise Unknown("the connection was lost before the answer" if self._lost.done() else "no answer")
        if answering.exception() is not None:
            raise Unknown(f"the request may not have left: {type(answering.exception()).__name__}")
        return self._result(answering.result().data())

    def _result(self, answer: Any) -> Any:
        if not isinstance(answer, dict):
            raise Unknown("the venue's answer could not be read")
        error = answer.get("error")
        if error is None:
            self.on_rate_limits(answer.get("rateLimits", []))
            return answer.get("result")
        if not isinstance(error, dict) or "code" not in error:
            raise Unknown(f"the SDK could not make sense of the answer: {str(error)[:64]!r}")
        more = error.get("data") or {}
        until_ms = more.get("retryAfter", 0)  # a time by the clock of the venue's own server
        wait_s = max(until_ms - more.get("serverTime", self._now_ms()), 0) / 1e3 if until_ms else 0.0
        status = 418 if error["code"] == -1003 and "banned" in str(error.get("msg")) else 0
        raise wire.error_of(status, int(error["code"]), str(error.get("msg", "")), wait_s)

    def _event(self, event: Event) -> None:
        if event.get("e") in ("serverShutdown", "eventStreamTerminated"):
            self.lose(f"the venue ends the connection: {event['e']}")
        else:
            self._receive(event)

    def _closed(self) -> None:
        self.lose("the connection was closed")

    def lose(self, reason: str) -> None:
        """Give the connection up."""
        if not self._lost.done():
            self._lost.set_result(reason)

    async def close(self) -> None:
        """Close the connection; it is lost then, too."""
        self.lose("closed by us")
        await self._api.close_connection(close_session=True)
