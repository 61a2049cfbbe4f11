"""REST by the official SDK: its signing and its requests, on a session that goes nowhere else.

The SDK waits for answers, so whoever lives on an event loop calls this from a thread. It would retry
GET and DELETE by itself, follow redirects and take proxies from the environment; none of it here.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import requests
import urllib3
from binance_common import errors
from binance_common.configuration import ConfigurationRestAPI
from binance_common.signature import Signers
from binance_common.utils import send_request

from genesis.connectors.gateway import hosts, wire
from genesis.connectors.gateway.credentials import Credentials
from genesis.connectors.gateway.venues import TradingError, Unknown, Unreachable

TIMEOUT_MS = 10_000
"""Longest wait for an answer: that of Binance's own interface to its matching engine."""

RECV_WINDOW_MS = 3_000
"""A signed request that reaches the matching engine later than this after its stamp is void."""

logging.getLogger().addHandler(
    logging.NullHandler()
)  # the SDK logs to the root; what matters we log ourselves


class Hearing(NamedTuple):
    """Who hears of every answer: its status and headers."""

    heard: Callable[[int, list[tuple[str, str]]], None] = lambda _status, _headers: None


def configuration(
    kind: hosts.Kind, base: str, credentials: Credentials
) -> tuple[ConfigurationRestAPI, Any | None]:
    """Return the SDK's configuration for a base address, and the signer of a private key.

    Raises
    ------
    GateClosed
        When this kind of venue may not be reached there.
    """
    hosts.check(kind, base)
    made = ConfigurationRestAPI(
        api_key=credentials.api_key,
        api_secret=None if credentials.is_private_key else credentials.secret,
        private_key=credentials.secret if credentials.is_private_key else None,
        base_path=base,
        timeout=TIMEOUT_MS,
        retries=0,
        compression=False,
    )
    return made, Signers.get_signer(credentials.secret) if credentials.is_private_key else None


class RestClient:
    """Signed and open requests; every call waits for its answer.

    Parameters
    ----------
    kind
        Where orders go.
    base
        Address of the venue's REST interface.
    credentials
        What requests are signed with.
    now_ms
        The venue's time of day.
    hearing
        Who hears of every answer.
    """

    def __init__(
        self,
        kind: hosts.Kind,
        base: str,
        credentials: Credentials,
        now_ms: Callable[[], int],
        hearing: Hearing | None = None,
    ) -> None:
        self._configuration, self._signer = configuration(kind, base, credentials)
        self._kind, self._base, self._now_ms = kind, base, now_ms
        self._hearing = hearing or Hearing()
        self._session = requests.Session()
        self._session.trust_env = False  # no proxies and no .netrc
        self._session.max_redirects = 0  # a redirect is an error
        self._session.hooks["response"].append(self._hear)

    def __repr__(self) -> str:
        return f"RestClient({self._kind}, {self._base})"

    def _hear(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._hearing.heard(response.status_code, list(response.headers.items()))

    def signed(self, method: str, path: str, params: dict[str, Any]) -> Any:
        """Return the answer to a signed request, decoded.

        Raises
        ------
        TradingError
            Whatever goes wrong, as what it means.
        """
        stamped = params | {"timestamp": self._now_ms(), "recvWindow": RECV_WINDOW_MS}
        return self._call(method, path, stamped, is_signed=True)

    def open(self, path: str, params: dict[str, Any] | None = None) -> Any:
        """Return the answer to a request that needs no signature, decoded; raises as `signed` does."""
        return self._call("GET", path, params or {}, is_signed=False)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _call(self, method: str, path: str, params: dict[str, Any], *, is_signed: bool) -> Any:
        hosts.check(self._kind, self._base)
        try:
            return send_request(
                self._session,
                self._configuration,
                method,
                path,
                payload=params,
                is_signed=is_signed,
                signer=self._signer,
            ).data()
        except errors.Error as error:
            raise meaning(error) from None
        except ValueError:  # no JSON
            raise Unknown("the venue's answer could not be read") from None


def meaning(error: errors.Error) -> TradingError:
    """Return what an error of the SDK means; nothing of the request is in it."""
    if isinstance(error, errors.NetworkError):
        cause = error.__cause__
        reason = getattr(cause.args[0], "reason", None) if cause is not None and cause.args else None
        never_connected = isinstance(cause, requests.ConnectTimeout) or isinstance(
            reason, urllib3.exceptions.NewConnectionError
        )
        if never_connected:
            return Unreachable("the venue does not take connections")
        return Unknown(f"the connection failed before the answer: {type(cause).__name__}")
    if isinstance(error, errors.ServerError):
        return wire.error_of(_whole(error.status_code) or 500, 0, "", 0.0)
    status = {
        errors.UnauthorizedError: 401,
        errors.ForbiddenError: 403,
        errors.TooManyRequestsError: 429,
        errors.RateLimitBanError: 418,
    }.get(type(error), 400)
    return wire.error_of(
        status,
        _whole(getattr(error, "status_code", 0)),
        str(getattr(error, "error_message", "")),
        float(getattr(error, "retry_after", 0.0) or 0.0),
    )


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def system_ms() -> int:
    """Return this machine's time of day in ms, for who has not heard the venue's yet."""
    return time.time_ns() // 1_000_000


__all__ = ["Hearing", "RestClient", "configuration", "meaning", "system_ms"]
