"""Events: what an account's log holds: commands, what the venue reports, and the market.

The log is one topic, `account_events`; its order is the order of everything. An event is sealed by the
role that made it (`signing`), and a role may make only its own kinds. Money and quantities are decimal
text: nobody rounds them on the way. Prices are in quote asset a unit of base asset.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

TEXT_MAX = 4_096
"""Longest text of a command, in characters; a journal entry of 500 words fits."""

Text = Annotated[str, Meta(max_length=TEXT_MAX)]
Name = Annotated[str, Meta(max_length=64)]
Amount = Annotated[str, Meta(max_length=64)]


class Role(StrEnum):
    """Who makes an event; each has a key of its own."""

    TRADER = "trader"
    STRATEGY = "strategy"
    TICKER = "ticker"
    GATEWAY = "gateway"
    GUARD = "guard"  # kill switch
    EXAMINER = "examiner"  # stress replay


class AccountEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an account's log."""

    id: Annotated[str, Meta(description="identity; a repeat changes nothing", max_length=128)]
    event_ns: Annotated[int, Meta(description="when it was made, venue time, ns since the epoch")]
    account_id: Annotated[str, Meta(description="whose log it is in", max_length=64)]
    role: Annotated[str, Meta(description="who made it: trader, strategy, ticker, gateway or guard")]
    kind: Annotated[str, Meta(description="what it is, such as place_order or execution")]
    body: Annotated[str, Meta(description="the rest, as JSON of that kind")]
    seal: Annotated[str, Meta(description="HMAC-SHA256 by the key of the role, hexadecimal")]


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """The body of an event; its tag is the event's kind."""


class PlaceOrder(_Body, frozen=True, kw_only=True, tag="place_order"):
    """Ask for a parent order. Exactly one of ``qty``, ``notional`` and ``share`` is given."""

    symbol: Name
    side: Name  # buy or sell
    qty: Amount = ""  # base asset
    notional: Amount = ""  # quote asset
    share: Amount = ""  # of what is held, in (0, 1]; sells only
    algorithm: Name = "one"  # one, twap, vwap, pov, iceberg or shortfall
    limit_price: Amount = ""  # worst price; empty for none
    rests: bool = False  # wait in the book at the limit rather than take
    duration_s: int = 0  # horizon of the algorithms; 0 for one piece
    slices: int = 0  # wanted; 0 lets the algorithm choose
    rate_ppm: int = 0  # POV: share of all volume; 0 for the usual one
    stop_ppm: int = 20_000  # stop-loss below the entry; 0 for none
    reason: Text = ""  # asked for at tilt level 2
    strategy: Name = ""


class CancelOrders(_Body, frozen=True, kw_only=True, tag="cancel_orders"):
    """Cancel one parent order, those of a symbol, or all."""

    parent_id: Name = ""
    symbol: Name = ""


class PauseOrder(_Body, frozen=True, kw_only=True, tag="pause_order"):
    """Let a parent order rest."""

    parent_id: Name


class ResumeOrder(_Body, frozen=True, kw_only=True, tag="resume_order"):
    """Let a paused parent order go on."""

    parent_id: Name


class AmendOrder(_Body, frozen=True, kw_only=True, tag="amend_order"):
    """Change the worst price of a parent order, or lower what is left of it."""

    parent_id: Name
    limit_price: Amount = ""
    qty: Amount = ""  # new total, base asset; never above the old one


class SetStop(_Body, frozen=True, kw_only=True, tag="set_stop"):
    """Move the stop-loss of a position; exactly one of the two."""

    symbol: Name
    price: Amount = ""
    distance_ppm: int = 0  # below the average cost


class Flatten(_Body, frozen=True, kw_only=True, tag="flatten"):
    """Cancel and sell what is held, of one symbol or all."""

    symbol: Name = ""


class SetMode(_Body, frozen=True, kw_only=True, tag="set_mode"):
    """Change the mode: active, reducing or halted."""

    mode: Name
    reason: Text = ""


class RequestOverride(_Body, frozen=True, kw_only=True, tag="request_override"):
    """Ask for the emergency override; ``confirmation`` must be typed word for word."""

    confirmation: Text


class WriteJournal(_Body, frozen=True, kw_only=True, tag="write_journal"):
    """Write into the journal."""

    text: Text


class SetParameter(_Body, frozen=True, kw_only=True, tag="set_parameter"):
    """Change a limit or a profile of one's own; what loosens takes effect an hour later."""

    name: Name
    value: Name


class TellLifeEvent(_Body, frozen=True, kw_only=True, tag="tell_life_event"):
    """Say that life asks for care for some days, such as a night without sleep; what it is stays untold."""

    days: int


class AcceptBreak(_Body, frozen=True, kw_only=True, tag="accept_break"):
    """Accept the break that is offered."""


class AnswerChecklist(_Body, frozen=True, kw_only=True, tag="answer_checklist"):
    """Answer the points of the checklist, in their order."""

    agreed: Annotated[tuple[bool, ...], Meta(max_length=16)]


class ForgetBehaviour(_Body, frozen=True, kw_only=True, tag="forget_behaviour"):
    """Delete what was seen of the trader before a time; what is usual of him stays."""

    before_ns: Annotated[int, Meta(ge=0)]  # event time; a later one than now counts as now


class ActKind(StrEnum):
    """What only a dashboard can see of the trader; `tilt.observations` says what the values mean."""

    KEYS = "keys"
    CORRECTIONS = "corrections"
    EDITED = "edited"
    PREVIEWED = "previewed"
    DECIDED = "decided"
    SCREEN = "screen"
    CHART = "chart"
    STARED = "stared"
    CONNECTED = "connected"
    LEFT = "left"
    CLOCK_JUMPED = "clock_jumped"


ACTS_MAX = 64
"""Acts in one event."""

AGO_MS_MAX = 600_000
"""What was seen longer ago is told as seen then."""

Figure = Annotated[float, Meta(ge=-1e9, le=1e9)]


class Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act at the keys; never what was typed."""

    what: ActKind
    ago_ms: Annotated[int, Meta(ge=0, le=AGO_MS_MAX)] = 0  # before the event was made, by a steady clock
    value: Figure = 0.0
    other: Figure = 0.0
    symbol: Name = ""


class Behaviour(_Body, frozen=True, kw_only=True, tag="behaviour"):
    """What a dashboard saw of the trader since it told the last time, oldest first."""

    client: Name  # made anew for each machine and user
    session: Name  # made anew whenever a dashboard is opened
    acts: Annotated[tuple[Act, ...], Meta(min_length=1, max_length=ACTS_MAX)]


class StressReplay(_Body, frozen=True, kw_only=True, tag="stress_replay"):
    """What a replay of a crash found on a copy of the account; the account judges it."""

    crash: Name
    state_ns: int  # the account's clock in the state that was replayed
    head: Name  # newest audit entry of that state
    equity_before: Amount  # quote asset, when the crash began
    at_risk: Amount  # worth of what was held then
    equity_lowest: Amount
    strategies: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    digest: Name  # of all that went in and came out


class Execution(_Body, frozen=True, kw_only=True, tag="execution"):
    """What the venue reported of a child order; one for every change and every trade."""

    client_order_id: Name
    venue_order_id: int
    symbol: Name
    side: Name
    status: Name  # new, partially_filled, filled, canceled, rejected or expired
    trade_id: int = -1  # -1 when it is not about a trade
    last_qty: Amount = "0"
    last_price: Amount = "0"
    filled_qty: Amount = "0"  # of the whole child so far
    commission: Amount = "0"
    commission_asset: Name = ""
    is_maker: bool = False
    venue_ns: int = 0
    reason: Text = ""
    sent_ns: int = 0  # when the gateway put the child on the wire; 0 when not known
    wire_ms: float = 0.0  # from the decision to the wire, gateway's clock


class VenueBalances(_Body, frozen=True, kw_only=True, tag="venue_balances"):
    """Balances as the venue has them: the opening ones, or those of a reconciliation."""

    balances: dict[str, tuple[Amount, Amount]]  # asset to free and locked
    opening: bool = False


class PermitRefused(_Body, frozen=True, kw_only=True, tag="permit_refused"):
    """The gateway refused a child order; counts as an override attempt."""

    client_order_id: Name
    code: Name
    detail: Text


class VenueLink(_Body, frozen=True, kw_only=True, tag="venue_link"):
    """Whether the gateway reaches the venue, and may send."""

    connected: bool
    detail: Text = ""


class Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The venue's rules for one symbol."""

    symbol: Name
    base: Name
    quote: Name
    tick: Amount
    lot: Amount
    min_qty: Amount
    max_qty: Amount
    min_notional: Amount
    trading: bool = True


class Listings(_Body, frozen=True, kw_only=True, tag="listings"):
    """The rules of the symbols that can be traded."""

    listings: list[Listing]


class Mark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The market of one symbol since the record before."""

    symbol: Name
    bid: Amount
    ask: Amount
    bid_qty: Amount
    ask_qty: Amount
    traded_qty: Amount = "0"  # by everybody since the record before
    state: int = 0  # records.MarketState
    stale: bool = False
    quoted_ns: int = 0  # event time of the quote


class MarketRecord(_Body, frozen=True, kw_only=True, tag="market"):
    """Marks that changed, and correlations of what is held; it is also the account's clock."""

    marks: list[Mark] = []
    correlations: list[tuple[Name, Name, float]] = []
    market_state: int = 0  # of the whole market
    day_notionals: dict[str, float] = {}  # usual notional of a day, quote asset, by symbol


Command = (
    PlaceOrder
    | CancelOrders
    | PauseOrder
    | ResumeOrder
    | AmendOrder
    | SetStop
    | Flatten
    | SetMode
    | RequestOverride
    | WriteJournal
    | SetParameter
    | TellLifeEvent
    | AcceptBreak
    | AnswerChecklist
    | ForgetBehaviour
)
Report = Execution | VenueBalances | PermitRefused | VenueLink
Body = Command | Report | Listings | MarketRecord | Behaviour | StressReplay

KINDS: dict[str, type[msgspec.Struct]] = {
    str(each.__struct_config__.tag): each
    for each in (*Command.__args__, *Report.__args__, Listings, MarketRecord, Behaviour, StressReplay)
}

_COMMANDS = frozenset(str(each.__struct_config__.tag) for each in Command.__args__)
_REPORTS = frozenset(str(each.__struct_config__.tag) for each in Report.__args__)

ALLOWED: dict[str, frozenset[str]] = {
    Role.TRADER: _COMMANDS | {"behaviour"},
    Role.STRATEGY: frozenset({"place_order", "cancel_orders"}),
    Role.TICKER: frozenset({"market", "listings"}),
    Role.GATEWAY: _REPORTS,
    Role.GUARD: frozenset({"set_mode", "cancel_orders", "flatten"}),
    Role.EXAMINER: frozenset({"stress_replay"}),
}
"""Which kinds each role may make."""

_decoder = msgspec.json.Decoder(Body)
_encoder = msgspec.json.Encoder()


def kind_of(body: Body) -> str:
    """Return the kind of a body.

    >>> kind_of(Flatten())
    'flatten'
    """
    return str(body.__struct_config__.tag)


def encode(body: Body) -> str:
    """Return a body as JSON text.

    >>> encode(PauseOrder(parent_id="p1"))
    '{"kind":"pause_order","parent_id":"p1"}'
    """
    return _encoder.encode(body).decode()


def decode(text: str) -> Body:
    """Return the body in JSON text.

    Raises
    ------
    msgspec.MsgspecError
        When it is no body, or one with an unknown field.
    """
    return _decoder.decode(text)  # type: ignore[no-any-return]


def pair_of(one: str, other: str) -> str:
    """Return the name of a pair of symbols, whichever is named first.

    >>> pair_of("ETHUSDT", "BTCUSDT")
    'BTCUSDT|ETHUSDT'
    """
    return f"{min(one, other)}|{max(one, other)}"
