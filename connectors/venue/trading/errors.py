"""The errors of the trading side, with Binance's codes and words."""

from genesis.connectors.venue.rest import ApiError

DECIMAL_RANGE = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
WHOLE_RANGE = "^[0-9]{1,20}$"
ID_RANGE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"


class PartlyDone(ApiError):
    """A cancelReplace of which one half or both failed; ``data`` says which."""

    def __init__(self, code: int, msg: str, status: int, data: dict[str, object]) -> None:
        super().__init__(code, msg, status)
        self.data = data


def illegal(name: str, legal: str) -> ApiError:
    """Return the error for characters that a parameter may not have."""
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def missing(name: str) -> ApiError:
    """Return the error for a parameter that must be there."""
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def unneeded(name: str) -> ApiError:
    """Return the error for a parameter that this kind of order does not take."""
    return ApiError(-1106, f"Parameter '{name}' sent when not required.")


def filter_failure(name: str) -> ApiError:
    """Return the error for an order that a filter of its symbol refuses."""
    return ApiError(-1013, f"Filter failure: {name}")


def rejected(msg: str) -> ApiError:
    """Return the error for an order that the matching engine refuses."""
    return ApiError(-2010, msg)


def insufficient_balance() -> ApiError:
    """Return the error for an order that the account cannot pay."""
    return rejected("Account has insufficient balance for requested action.")


def bad_signature() -> ApiError:
    """Return the error for a signature that does not fit."""
    return ApiError(-1022, "Signature for this request is not valid.")


def bad_key() -> ApiError:
    """Return the error for an API key that is not known here."""
    return ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
