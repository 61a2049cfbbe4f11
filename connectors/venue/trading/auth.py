"""Who asks: API key, signature and timestamp of a request."""

import re

from genesis.connectors.venue.rest import ApiError
from genesis.connectors.venue.trading.accounts import Account
from genesis.connectors.venue.trading.desk import Desk
from genesis.connectors.venue.trading.errors import bad_key, bad_signature, illegal
from genesis.connectors.venue.trading.parameters import Parameters
from genesis.connectors.venue.trading.signatures import is_signed_by_any

WINDOW_MS = 5_000.0
WINDOW_MS_MAX = 60_000.0
AHEAD_MS_MAX = 1_000.0
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_WINDOW = r"^([0-9]{1,5})(\.[0-9]{1,3})?$"
_TIMESTAMP = "^[0-9]{1,20}$"


def authenticate(desk: Desk, api_key: str, parameters: Parameters, payloads: list[bytes]) -> Account:
    """Return the account that has signed a request.

    Parameters
    ----------
    desk
        Knows the accounts and the time.
    api_key
        As sent; empty when there was none.
    parameters
        Of the request.
    payloads
        What the signature may cover.

    Raises
    ------
    ApiError
        -2014, -2015, -1102, -1021, -1022, -1131.
    """
    account = account_of(desk, api_key)
    signature = parameters.needed("signature")
    check_time(desk, parameters)
    if not is_signed_by_any(account, payloads, signature):
        raise bad_signature()
    return account


def account_of(desk: Desk, api_key: str) -> Account:
    """Return the account that an API key belongs to.

    Raises
    ------
    ApiError
        -2014 or -2015, status 401.
    """
    if not _KEY.fullmatch(api_key):
        raise ApiError(-2014, "API-key format invalid.", 401)
    account = desk.by_key.get(api_key)
    if account is None:
        raise bad_key()
    return account


def check_time(desk: Desk, parameters: Parameters) -> None:
    """Refuse a request that is too old or from the future, by source time and by the time on the wall.

    Raises
    ------
    ApiError
        -1021, and others for what cannot be read.
    """
    window_ms = WINDOW_MS
    window = parameters.text("recvWindow", None, _WINDOW)
    if window is not None:
        window_ms = float(window)
        if window_ms > WINDOW_MS_MAX:
            raise ApiError(-1131, "recvWindow must be less than 60000.")
    text = parameters.needed("timestamp")
    if not re.fullmatch(_TIMESTAMP, text):
        raise illegal("timestamp", _TIMESTAMP)
    sent_ms = float(text)
    if sent_ms > 1e14:  # microseconds
        sent_ms /= 1e3
    ages_ms = [now_ms - sent_ms for now_ms in desk.clocks_ms()]
    if any(-AHEAD_MS_MAX < age_ms <= window_ms for age_ms in ages_ms):
        return
    if min(ages_ms, key=abs) < 0.0:
        raise ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    raise ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")
