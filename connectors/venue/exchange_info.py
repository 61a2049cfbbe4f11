"""Exchange information in the shape of each market, filters included."""

from genesis.connectors.venue.source import Instrument
from genesis.operators.records import Market

E8 = 100_000_000
WEIGHT_LIMITS = {Market.SPOT: 6_000, Market.USDM: 2_400, Market.COINM: 2_400}
"""Request weight a minute."""

_ORDER_TYPES_SPOT = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT",
                     "TAKE_PROFIT_LIMIT"]  # fmt: skip
_ORDER_TYPES_FUTURES = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
                        "TRAILING_STOP_MARKET"]  # fmt: skip
_STP_MODES = ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]
_QTY_MAX = "9000000.00000000"
_PERPETUAL_MS = 4_133_404_800_000  # the delivery date that Binance gives to what is never delivered

Json = dict[str, object]


def exchange_info(market: Market, instruments: list[Instrument], server_ms: int) -> Json:
    """Return the answer to an exchangeInfo request."""
    head: Json = {"timezone": "UTC", "serverTime": server_ms}
    limits = [
        _limit("REQUEST_WEIGHT", "MINUTE", 1, WEIGHT_LIMITS[market]),
        _limit("ORDERS", "SECOND", 10, 100 if market == Market.SPOT else 300),
    ]
    if market == Market.SPOT:
        limits.append(_limit("ORDERS", "DAY", 1, 200_000))
        limits.append(_limit("RAW_REQUESTS", "MINUTE", 5, 300_000))
        return {**head, "rateLimits": limits, "exchangeFilters": [], "symbols": list(map(_spot, instruments))}
    limits.append(_limit("ORDERS", "MINUTE", 1, 1_200))
    symbols = [_futures(each) for each in instruments]
    if market == Market.USDM:
        assets = [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}]
        head |= {"futuresType": "U_MARGINED", "assets": assets}
    return {**head, "rateLimits": limits, "exchangeFilters": [], "symbols": symbols}


def _limit(kind: str, interval: str, number: int, limit: int) -> Json:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _e8(units: int) -> str:
    return f"{units // E8}.{units % E8:08d}"


def _short(units: int) -> str:
    whole, _, fraction = _e8(units).partition(".")
    return f"{whole}.{fraction.rstrip('0')}".rstrip(".")


def _decimals(units: int) -> int:
    return len(_short(units).partition(".")[2])


def spot_filters(each: Instrument) -> list[Json]:
    """Return the filters of a spot symbol."""
    tick, step = _e8(each.tick_e8), _e8(each.step_e8)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": _QTY_MAX, "stepSize": step},
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": _QTY_MAX,
            "stepSize": "0.00000000",
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]


def _spot(each: Instrument) -> Json:
    return {
        "symbol": each.symbol,
        "status": "TRADING",
        "baseAsset": each.base,
        "baseAssetPrecision": 8,
        "quoteAsset": each.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": _ORDER_TYPES_SPOT,
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": spot_filters(each),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": _STP_MODES,
    }


def _futures(each: Instrument) -> Json:
    tick, step = _short(each.tick_e8), _short(each.step_e8)
    pair, _, delivery = each.symbol.partition("_")
    is_coinm = each.market == Market.COINM
    contract = "PERPETUAL" if delivery in ("", "PERP") else "CURRENT_QUARTER"
    filters: list[Json] = [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000", "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": "120", "stepSize": step},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.0500",
            "multiplierDown": "0.9500",
            "multiplierDecimal": "4",
        },
    ]
    if not is_coinm:
        filters.insert(5, {"filterType": "MIN_NOTIONAL", "notional": "5"})
    status: Json = {"contractStatus": "TRADING", "contractSize": 100 if each.base == "BTC" else 10}
    return {
        "symbol": each.symbol,
        "pair": pair,
        "contractType": contract,
        "deliveryDate": _PERPETUAL_MS,
        "onboardDate": 1_569_398_400_000,
        **(status if is_coinm else {"status": "TRADING"}),
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": each.base,
        "quoteAsset": each.quote,
        "marginAsset": each.base if is_coinm else each.quote,
        "pricePrecision": _decimals(each.tick_e8),
        "quantityPrecision": _decimals(each.step_e8),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "filters": filters,
        "orderTypes": _ORDER_TYPES_FUTURES,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }
