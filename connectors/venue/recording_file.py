"""One recording: its lines, what they hold, and what is wrong with them if something is.

A line is ``<recv_ns> <json>``; the JSON is a combined-stream frame as received, or the bare answer
of the REST depth request. Files are gzip or plain text, whatever their name.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from math import gcd
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from genesis.connectors.venue.book import decode_diff, decode_snapshot
from genesis.connectors.venue.source import Instrument, Kind, Message, StreamKey
from genesis.connectors.venue.streams import kind_of
from genesis.operators.records import SYMBOL_BYTES, Market

PEEK_LINES = 20_000
"""Lines read ahead to learn which instruments and streams a recording holds."""

_PEEK_LEVELS = 20_000  # prices of depth looked at for the tick size, enough to be sure of it
_GZIP_MAGIC = b"\x1f\x8b"
_QUOTES = (
    "FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDP", "BIDR", "IDRT", "USD1", "USD", "EUR", "GBP", "TRY",
    "BRL", "ARS", "UAH", "ZAR", "PLN", "RON", "JPY", "MXN", "COP", "CZK", "AUD", "RUB", "NGN", "DAI", "BTC",
    "ETH", "BNB", "XRP", "TRX", "DOGE", "DOT", "SOL",
)  # fmt: skip


class RecordingError(Exception):
    """A recording cannot be used; the message says where, what is wrong and what to do.

    Parameters
    ----------
    path, line
        The place; line 0 stands for the file as a whole.
    problem, remedy
        What it means and what to do about it.
    """

    def __init__(self, path: Path, line: int, problem: str, remedy: str) -> None:
        super().__init__(f"{path}{f', line {line}' if line else ''}: {problem}; {remedy}")
        self.path, self.line, self.problem, self.remedy = path, line, problem, remedy


Level = tuple[str, str]


class _Data(msgspec.Struct):
    s: str | None = None
    pu: int | None = None


class _Line(msgspec.Struct):
    stream: str | None = None
    data: _Data | list[msgspec.Raw] | None = None
    last_update_id: int | None = msgspec.field(default=None, name="lastUpdateId")
    symbol: str | None = None


class _Wide(msgspec.Struct):
    """The prices and quantities of any message."""

    e: str | None = None
    X: str | None = None
    M: bool | None = None
    pu: int | None = None
    p: str | None = None
    q: str | None = None
    b: str | list[Level] | None = None
    a: str | list[Level] | int | None = None
    B: str | None = None
    A: str | None = None
    bids: list[Level] = []
    asks: list[Level] = []


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_wide = msgspec.json.Decoder(_Wide).decode


class _Shape(NamedTuple):
    """What is known of a stream once its name has been seen."""

    opening: bytes  # what a frame of it begins with, as Binance writes it
    kind: Kind
    symbol: str


class RecordingFile:
    """A recording, looked into on construction and read line by line when iterated.

    Parameters
    ----------
    path
        The file.
    market
        Its market; found out from name and content when not given.

    Raises
    ------
    RecordingError
        When the file cannot be read, holds something else, or does not show its market.
    """

    def __init__(self, path: Path, market: Market | None = None) -> None:
        self.path = path
        self.start_ns = 0
        self.streams: dict[StreamKey, str] = {}
        self.opening: dict[tuple[Market, str], Message] = {}
        self._shapes: dict[str, _Shape] = {}
        self._symbols: list[str] = []
        self._is_open = True  # to symbols not seen before
        self._recv_ns = 0
        self._bytes_read = 0
        try:
            self.bytes_total = path.stat().st_size
        except OSError as error:
            raise self._error(0, f"cannot be read ({error.strerror})", "check the path") from None
        self.market = market or _market_by_name(path) or self._market_by_content()
        self._steps = self._look_ahead()
        self._is_open = False

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Its instruments in order of appearance, with increments as the prices show them."""
        found = []
        for symbol in self._symbols:
            tick_e8, step_e8 = self._steps.get(symbol, (1, 1))
            found.append(Instrument(self.market, symbol, *self._assets(symbol), tick_e8 or 1, step_e8 or 1))
        return tuple(found)

    @property
    def bytes_read(self) -> int:
        """How far reading has come, in bytes of the file as it is on disk."""
        return self._bytes_read

    def __iter__(self) -> Iterator[Message]:
        self._recv_ns = 0
        for number, line in self._lines():
            yield self._message(number, line)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield line numbers from 1, and lines."""
        number = 0
        try:
            with self.path.open("rb") as raw:
                is_gzip = raw.read(2) == _GZIP_MAGIC
                raw.seek(0)
                lines: IO[bytes] = gzip.GzipFile(fileobj=raw) if is_gzip else raw  # type: ignore[assignment]
                for number, line in enumerate(lines, 1):
                    if not number % 256:
                        self._bytes_read = raw.tell()
                    yield number, line
                self._bytes_read = self.bytes_total
        except EOFError:
            raise self._error(
                number + 1, "the gzip file is cut off here", "everything before was read; copy it again"
            ) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            problem = f"the gzip file is damaged ({error})"
            raise self._error(number + 1, problem, "everything before was read; copy it again") from None
        except OSError as error:
            raise self._error(number + 1, f"cannot be read ({error.strerror})", "check the disk") from None

    def _first_lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines to learn from; damage after the first is reported when reading comes there."""
        number = 0
        try:
            for number, line in self._lines():
                if number > PEEK_LINES:
                    return
                yield number, line
        except RecordingError:
            if not number:
                raise

    def _message(self, number: int, line: bytes) -> Message:
        """Return a line understood."""
        digits, _space, body = line.partition(b" ")
        body = body.rstrip()
        if not digits.isdigit() or not body:
            problem = f"expected '<recv_ns> <json>', found {_shown(line)}"
            raise self._error(number, problem, "use recordings in the format of `genesis record`")
        recv_ns = int(digits)
        if recv_ns < self._recv_ns:
            problem = f"its time {recv_ns} lies before that of the line above, {self._recv_ns}"
            raise self._error(number, problem, "sort the recording by its first column")
        self._recv_ns = recv_ns
        try:
            head = _decode_line(body)
        except msgspec.DecodeError as error:
            problem = f"not a message of Binance ({error}): {_shown(body)}"
            remedy = "the line is cut off or damaged; everything before it was read"
            raise self._error(number, problem, remedy) from None
        if head.stream is not None and head.data is not None:
            return self._frame(number, recv_ns, body, head)
        if head.last_update_id is not None:
            symbol = self._snapshot_symbol(number, head)
            self._check(number, body, decode_snapshot)
            return Message(recv_ns, self.market, Kind.SNAPSHOT, symbol, body, "")
        problem = f"neither a combined-stream frame nor a depth snapshot: {_shown(body)}"
        raise self._error(number, problem, "record combined streams (/stream?streams=…)")

    def _frame(self, number: int, recv_ns: int, body: bytes, head: _Line) -> Message:
        name = head.stream or ""
        shape = self._shapes.get(name) or self._new_shape(number, name)
        opening, kind, symbol = shape
        data = head.data
        if isinstance(data, _Data):
            if data.s is not None and data.s != symbol and kind != Kind.OTHER:
                problem = f"the stream {name} carries a message of symbol {data.s!r}"
                raise self._error(number, problem, "the recording is damaged; everything before was read")
            if kind == Kind.DIFF and (data.pu is None) != (self.market == Market.SPOT):
                raise self._error(number, *_contradiction(self.market))
        if body.startswith(opening):
            payload = body[len(opening) : -1]
        else:
            payload = bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw])["data"])
        if kind == Kind.DIFF:
            self._check(number, payload, decode_diff)
        return Message(recv_ns, self.market, kind, symbol, payload, name)

    def _check(self, number: int, payload: bytes, decode: Callable[[bytes], object]) -> None:
        """Make sure that the venue can use a payload that it will apply to a book."""
        try:
            decode(payload)
        except msgspec.DecodeError as error:
            problem = f"not a message of Binance ({error}): {_shown(payload)}"
            remedy = "the line is damaged; everything before it was read"
            raise self._error(number, problem, remedy) from None

    def _new_shape(self, number: int, name: str) -> _Shape:
        kind = kind_of(name)
        symbol = name if kind == Kind.OTHER else name.partition("@")[0].upper()
        if kind != Kind.OTHER:
            self._admit(number, symbol)
        shape = _Shape(b'{"stream":"%s","data":' % name.encode(), kind, symbol)
        if len(self._shapes) < PEEK_LINES:
            self._shapes[name] = shape
        return shape

    def _admit(self, number: int, symbol: str) -> None:
        """Take note of a symbol, or refuse it when it is none or comes too late."""
        if symbol in self._symbols:
            return
        if len(symbol) > SYMBOL_BYTES or not symbol.replace("_", "").isalnum() or not symbol.isascii():
            raise self._error(number, f"unknown symbol {symbol!r}", "the recording is damaged")
        self._assets(symbol, number)
        if not self._is_open:
            problem = f"unknown symbol {symbol!r}: it is not in the first {PEEK_LINES:,} lines"
            remedy = "record it into a file of its own, so that clients can be told of it before the start"
            raise self._error(number, problem, remedy)
        self._symbols.append(symbol)

    def _assets(self, symbol: str, number: int = 0) -> tuple[str, str]:
        """Return base and quote asset of a symbol."""
        pair = symbol.partition("_")[0]
        for quote in _QUOTES:
            if pair.endswith(quote) and len(pair) > len(quote):
                return pair[: -len(quote)], quote
        problem = f"unknown symbol {symbol!r}: it ends in no known quote asset"
        raise self._error(number, problem, "check the recording")

    def _snapshot_symbol(self, number: int, head: _Line) -> str:
        """Return whose snapshot this is: spot and USD-M answers do not say."""
        if head.symbol:
            self._admit(number, head.symbol)
            return head.symbol
        if len(self._symbols) == 1:
            return self._symbols[0]
        named = [
            each for each in self._symbols if each.lower() in self.path.name.lower().split(".")[0].split("_")
        ]
        if len(named) == 1:
            return named[0]
        problem = "a depth snapshot, and nothing that says of which symbol"
        raise self._error(number, problem, "record every symbol into a file of its own")

    def _look_ahead(self) -> dict[str, tuple[int, int]]:
        """Learn instruments, streams and opening snapshots; return tick and step by symbol, in 1e-8."""
        steps: dict[str, tuple[int, int]] = {}
        seen = 0
        for number, line in self._first_lines():
            try:
                message = self._message(number, line)
            except RecordingError:
                if number == 1:
                    raise
                break
            self.start_ns = self.start_ns or message.recv_ns
            if message.kind == Kind.SNAPSHOT:
                self.opening.setdefault((self.market, message.symbol), message)
            else:
                self.streams.setdefault(StreamKey(self.market, message.symbol, message.kind), message.stream)
            if message.kind != Kind.OTHER and seen < _PEEK_LEVELS:
                seen += self._refine(steps, number, message)
        if not self._symbols:
            raise self._error(0, "holds no message", "check that it is a recording and not empty")
        self._bytes_read = 0
        return steps

    def _refine(self, steps: dict[str, tuple[int, int]], number: int, message: Message) -> int:
        """Refine tick and step of a symbol by one message; return how many prices it had."""
        try:
            wide = _decode_wide(message.payload)
            tick_e8, step_e8 = steps.get(message.symbol, (0, 0))
            prices, quantities = _numbers(wide)
            steps[message.symbol] = (
                gcd(tick_e8, *map(_units_e8, prices)),
                gcd(step_e8, *map(_units_e8, quantities)),
            )
        except ValueError as error:
            problem = f"not a message of Binance ({error}): {_shown(message.payload)}"
            raise self._error(number, problem, "the recording is damaged") from None
        return len(prices)

    def _market_by_content(self) -> Market:
        """Return the market that the messages show."""
        self.market = Market.SPOT
        has_frames = False
        for _number, line in self._first_lines():
            name, _, rest = line.partition(b'"stream":"')[2].partition(b'"')
            has_frames |= bool(name)
            if b"_" in name.partition(b"@")[0]:
                delivers_usdt = b"usd_" not in name
                return Market.USDM if delivers_usdt else Market.COINM
            if b'"pu":' in rest or b'"e":"bookTicker"' in rest:
                return Market.USDM
            if b'"e":"depthUpdate"' in rest or b'"M":' in rest:
                return Market.SPOT
        if not has_frames:
            remedy = "use recordings in the format of `genesis record`"
            raise self._error(0, "holds no message of a combined stream", remedy)
        raise self._error(
            0,
            "neither its name nor its messages say which market it is of",
            "name it binance_spot_…, binance_usdm_… or binance_coinm_…, or write usdm=FILE",
        )

    def _error(self, line: int, problem: str, remedy: str) -> RecordingError:
        return RecordingError(self.path, line, problem, remedy)


def _market_by_name(path: Path) -> Market | None:
    for market in Market:
        if f"binance_{market.name.lower()}_" in path.name.lower():
            return market
    return None


def _contradiction(market: Market) -> tuple[str, str]:
    has = "has no" if market != Market.SPOT else "has a"
    problem = (
        f"the file counts as {market.name.lower()}, but this depth update {has} 'pu', which only futures have"
    )
    return problem, "rename it binance_spot_…, binance_usdm_… or binance_coinm_…, or write usdm=FILE"


def _numbers(wide: _Wide) -> tuple[list[str], list[str]]:
    """Return all prices and all quantities of a message."""
    levels = [*wide.bids, *wide.asks]
    prices = [] if wide.p is None else [wide.p]
    quantities = [] if wide.q is None else [wide.q]
    for side in (wide.b, wide.a):
        if isinstance(side, list):
            levels += side
        elif isinstance(side, str):
            prices.append(side)
    quantities += [qty for qty in (wide.B, wide.A) if qty is not None]
    prices += [price for price, _ in levels]
    quantities += [qty for _, qty in levels]
    return prices, quantities


def _units_e8(number: str) -> int:
    whole, _, fraction = number.partition(".")
    return int(whole + fraction[:8].ljust(8, "0"))


def _shown(data: bytes) -> str:
    text = data[:60].decode(errors="replace").rstrip()
    return repr(text) + ("…" if len(data) > 60 else "")
