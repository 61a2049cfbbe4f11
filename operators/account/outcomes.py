"""Outcomes: what the account fold gives: decisions, child orders, executions, positions, status, audit.

All are JSON records with an ``id`` made from what caused them, so that a repeat is known as one. Money
is decimal text, exact; figures are floats for people and plots.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(description="identity, made from what caused it")]
EventNs = Annotated[int, Meta(description="account's clock, venue time, ns since the epoch")]
Account = Annotated[str, Meta(description="whose it is")]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command, or what the account decided by itself."""

    id: Id
    event_ns: EventNs
    account_id: Account
    cause: Annotated[str, Meta(description="id of the event that led to it")]
    subject: Annotated[str, Meta(description="kind of the command, or what acted, such as stop_loss")]
    accepted: Annotated[bool, Meta(description="whether it is carried out")]
    code: Annotated[str, Meta(description="stable code, such as OK or DAILY_LOSS")]
    sentence: Annotated[str, Meta(description="what happened, why it is all right, what to do next")]
    figures: Annotated[dict[str, float], Meta(description="the numbers behind it, by name with unit")]
    parent_id: Annotated[str, Meta(description="parent order it is about; empty for none")] = ""


class ChildOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway is asked to do: send a child order, or cancel one. Good with its permit only."""

    id: Id
    event_ns: EventNs
    account_id: Account
    action: Annotated[str, Meta(description="send or cancel")]
    client_order_id: Annotated[str, Meta(description="id at the venue, at most 36 of a-z A-Z 0-9 - _")]
    parent_id: Annotated[str, Meta(description="parent order that it is cut from")]
    symbol: Annotated[str, Meta(description="as the venue writes it")]
    side: Annotated[str, Meta(description="buy or sell")]
    order_type: Annotated[str, Meta(description="market, limit, limit_maker or stop_loss_limit")]
    time_in_force: Annotated[str, Meta(description="gtc, ioc or fok; empty for market orders")]
    qty: Annotated[str, Meta(description="base asset, decimal text")]
    limit_price: Annotated[
        str, Meta(description="worst price, decimal text; of market orders, for the check only")
    ]
    stop_price: Annotated[str, Meta(description="trigger of a stop-loss, decimal text; empty for others")]
    tier: Annotated[str, Meta(description="tier of the account when it was permitted")]
    ledger_head: Annotated[str, Meta(description="hash of the newest audit entry when it was permitted")]
    expires_ns: Annotated[int, Meta(description="by the account's clock; after it the permit is void")]
    permit: Annotated[str, Meta(description="HMAC-SHA256 over all the rest, hexadecimal")]


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of ours, valued."""

    id: Id
    event_ns: EventNs
    account_id: Account
    client_order_id: Annotated[str, Meta(description="child order that traded")]
    parent_id: Annotated[str, Meta(description="parent order")]
    symbol: Annotated[str, Meta(description="as the venue writes it")]
    side: Annotated[str, Meta(description="buy or sell")]
    trade_id: Annotated[int, Meta(description="the venue's id")]
    qty: Annotated[str, Meta(description="base asset, decimal text")]
    price: Annotated[str, Meta(description="quote asset, decimal text")]
    commission: Annotated[str, Meta(description="decimal text")]
    commission_asset: Annotated[str, Meta(description="asset of the commission")]
    realised: Annotated[str, Meta(description="realised P&L in quote asset by average cost, after fees")]
    is_maker: Annotated[bool, Meta(description="whether it waited in the book")]
    arrival_price: Annotated[float, Meta(description="mid when the parent order was decided")]
    shortfall_bps: Annotated[float, Meta(description="cost against the arrival price, bps, fees apart")]


class ParentOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A parent order as it stands."""

    id: Id
    event_ns: EventNs
    account_id: Account
    parent_id: Annotated[str, Meta(description="the command's id")]
    symbol: Annotated[str, Meta(description="as the venue writes it")]
    side: Annotated[str, Meta(description="buy or sell")]
    algorithm: Annotated[str, Meta(description="how it is cut")]
    status: Annotated[str, Meta(description="working, paused, ending or ended")]
    reason: Annotated[str, Meta(description="why it ended")]
    qty: Annotated[str, Meta(description="total, base asset, decimal text")]
    filled_qty: Annotated[str, Meta(description="base asset, decimal text")]
    average_price: Annotated[
        str, Meta(description="of the fills, quote asset, decimal text; empty without one")
    ]
    children: Annotated[int, Meta(description="child orders so far")]
    strategy: Annotated[str, Meta(description="which strategy asked for it; empty for the trader")]
    figures: Annotated[dict[str, float], Meta(description="arrival price, shortfall and its split")]


class PositionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A position as it stands."""

    id: Id
    event_ns: EventNs
    account_id: Account
    symbol: Annotated[str, Meta(description="as the venue writes it")]
    qty: Annotated[str, Meta(description="base asset, decimal text")]
    average_cost: Annotated[str, Meta(description="quote asset a unit, fees included, decimal text")]
    realised: Annotated[str, Meta(description="realised so far, quote asset, decimal text")]
    mark_price: Annotated[str, Meta(description="mid, decimal text; empty when there is none")]
    unrealised: Annotated[str, Meta(description="against the mark, quote asset, decimal text; empty as well")]
    stop_price: Annotated[str, Meta(description="stop-loss, decimal text; empty for none")]
    stop_rests: Annotated[bool, Meta(description="whether the stop-loss rests at the venue")] = False


class AccountStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it stands."""

    id: Id
    event_ns: EventNs
    account_id: Account
    tier: Annotated[str, Meta(description="sniper, hunter, strategist or architect")]
    mode: Annotated[str, Meta(description="active, reducing or halted")]
    tilt_level: Annotated[int, Meta(description="0 to 3")]
    equity: Annotated[str, Meta(description="cash and positions at their marks, quote asset, decimal text")]
    cash: Annotated[str, Meta(description="quote asset, decimal text")]
    realised_day: Annotated[str, Meta(description="realised today (UTC), quote asset, decimal text")]
    pnl_day: Annotated[float, Meta(description="equity against that of midnight (UTC), quote asset")]
    drawdown: Annotated[float, Meta(description="equity below its peak, as a share of the peak")]
    daily_budget: Annotated[float, Meta(description="what may still be lost today, quote asset")]
    override_attempts: Annotated[int, Meta(description="in the last 24 h")]
    figures: Annotated[dict[str, float], Meta(description="limits and measures by name with unit")]


class TiltStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far the trader is from his usual self, and what follows from it."""

    id: Id
    event_ns: EventNs
    account_id: Account
    level: Annotated[int, Meta(description="0 to 3; 3 as long as a rest lasts")]
    score: Annotated[float, Meta(description="weight of all evidence, in alarms")]
    calibrated: Annotated[bool, Meta(description="whether enough is known of the trader's usual self")]
    phase: Annotated[str, Meta(description="free, pausing, resting or returning")]
    until_ns: Annotated[int, Meta(description="end of the time of a pause or rest, ns since the epoch; or 0")]
    missing: Annotated[list[str], Meta(description="what keeps a pause or rest from ending")]
    debt: Annotated[int, Meta(description="disciplined trades with a profit until sizes are full again")]
    names: Annotated[list[str], Meta(description="signs that are lit, strongest first")]
    signs: Annotated[list[str], Meta(description="… their evidence, a sentence each")]
    sentence: Annotated[str, Meta(description="what changed, why it is all right, what to do next")]


FORGOTTEN = "forgotten"
"""What a record says by which older ones of its account are deleted from the store."""


class BehaviourRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was seen of the trader; never what was typed."""

    id: Id
    event_ns: EventNs
    account_id: Account
    what: Annotated[str, Meta(description="kind of observation, such as keys or sold; or forgotten")]
    value: Annotated[float, Meta(description="as the page on tilt says for the kind; 0 where not known")]
    other: Annotated[float, Meta(description="as well")]
    symbol: Annotated[str, Meta(description="as the venue writes it; empty for none")]
    client: Annotated[str, Meta(description="machine and user, made up; empty for what the fold saw")]
    session: Annotated[str, Meta(description="one opening of a dashboard, made up; empty as well")]


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the audit chain."""

    id: Annotated[str, Meta(description="hash of this entry, hexadecimal: HMAC over the rest")]
    event_ns: EventNs
    account_id: Account
    number: Annotated[int, Meta(description="1, 2, 3, … within the account")]
    previous: Annotated[str, Meta(description="hash of the entry before; of the first, the genesis hash")]
    subject: Annotated[str, Meta(description="what it records, such as decision, child_order or execution")]
    body: Annotated[str, Meta(description="the record, JSON")]
