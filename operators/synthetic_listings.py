"""The instruments of the synthetic market: names, ticks and characters like those of real pairs."""

from typing import NamedTuple

E8 = 100_000_000
"""Ticks and steps are given in units of 1e-8, the finest that a venue writes."""

# base, price in USDT, tick, step, activity, loading on the market factor, group, volatility in bps/sqrt(s)
_BASES = """
BTC 61837.64 0.01 0.00001 12 0.88 0 0.9 | ETH 2683.80 0.01 0.0001 9 0.86 0 1.1
BNB 512.4 0.1 0.001 3 0.72 0 0.9        | SOL 153.27 0.01 0.001 6 0.78 1 1.4
XRP 0.6068 0.0001 0.1 4 0.62 2 1.3      | ADA 0.3391 0.0001 0.1 2 0.72 1 1.3
DOGE 0.10312 0.00001 1 4 0.74 3 1.5     | AVAX 22.43 0.01 0.01 2 0.76 1 1.5
LINK 10.31 0.01 0.01 2 0.74 4 1.4       | LTC 60.23 0.01 0.001 2 0.66 2 1.1
DOT 4.671 0.001 0.01 1.5 0.74 1 1.3     | TRX 0.1291 0.0001 0.1 1.5 0.35 2 0.7
BCH 339.8 0.1 0.001 1.2 0.66 2 1.3      | UNI 6.213 0.001 0.01 1.2 0.66 4 1.6
ATOM 4.912 0.001 0.01 1 0.7 1 1.4       | XLM 0.1012 0.0001 1 1 0.58 2 1.3
ETC 19.12 0.01 0.01 1 0.68 2 1.3        | NEAR 4.052 0.001 0.1 1.5 0.74 1 1.7
FIL 3.721 0.001 0.01 1 0.72 1 1.5       | APT 6.014 0.001 0.01 1 0.72 1 1.7
ARB 0.5513 0.0001 0.1 1 0.73 4 1.7      | OP 1.412 0.001 0.01 1 0.73 4 1.8
SUI 0.8237 0.0001 0.1 2 0.68 1 2        | SHIB 0.00001374 0.00000001 1 1.5 0.72 3 1.5
PEPE 0.00000812 0.00000001 1 2 0.7 3 2.2 | INJ 18.14 0.001 0.01 0.8 0.7 4 1.8
AAVE 99.6 0.01 0.001 1 0.64 4 1.5       | ICP 7.612 0.001 0.01 0.8 0.7 1 1.5
ALGO 0.1231 0.0001 1 0.7 0.68 1 1.4     | HBAR 0.0541 0.0001 1 0.7 0.62 1 1.4
VET 0.02241 0.00001 0.1 0.7 0.68 1 1.4  | GRT 0.1482 0.0001 1 0.7 0.7 4 1.6
SAND 0.2613 0.0001 1 0.7 0.7 3 1.5      | MANA 0.2812 0.0001 1 0.6 0.7 3 1.5
THETA 1.243 0.001 0.1 0.6 0.68 1 1.5    | AXS 4.612 0.001 0.01 0.6 0.68 3 1.5
EOS 0.4871 0.0001 0.1 0.6 0.66 2 1.3    | CRV 0.2713 0.0001 0.1 0.8 0.6 4 2
RUNE 3.912 0.001 0.1 0.8 0.66 4 1.9     | LDO 1.043 0.001 0.01 0.8 0.68 4 1.8
"""
# quote asset, its units for one USDT, activity next to the USDT pair
_QUOTES = (
    ("USDT", 1.0, 1.0),
    ("USDC", 1.0, 0.4),
    ("FDUSD", 1.0, 0.6),
    ("TUSD", 1.0, 0.2),
    ("EUR", 0.915, 0.3),
)


class Listing(NamedTuple):
    """One instrument of the synthetic market."""

    symbol: str
    base: str
    quote: str
    price: float  # at the start, quote asset
    tick_e8: int  # price increment in 1e-8 quote asset
    step_e8: int  # quantity increment in 1e-8 base asset
    activity: float  # share of all events, relative
    loading: float  # on the market factor, in [0, 1)
    group: int  # whose factor it shares
    volatility_bps: float  # of the fair price in calm times, per square root of a second


def _listings() -> tuple[Listing, ...]:
    rows = [entry.split() for line in _BASES.strip().splitlines() for entry in line.split("|")]
    found = []
    for quote, units, share in _QUOTES:
        for base, price, tick, step, activity, loading, group, volatility in rows:
            tick_e8, step_e8 = round(float(tick) * E8), round(float(step) * E8)
            names = (base + quote, base, quote, float(price) * units, tick_e8, step_e8)
            found.append(
                Listing(*names, float(activity) * share, float(loading), int(group), float(volatility))
            )
    return tuple(found)


LISTINGS = _listings()
"""All instruments there are; a market of N symbols has the first N."""
