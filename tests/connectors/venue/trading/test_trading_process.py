"""The trading venue as a process: secrets stay in their file, kill -9 loses nothing that a client heard."""

import asyncio
import contextlib
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.venue.trading.traders import SYMBOL, configuration, sdk
from tests.connectors.venue.venues import run

VENUE = (sys.executable, "-m", "genesis.cli.main", "venue", "--port", "0", "--synthetic", "2", "--no-wait")


@contextlib.contextmanager
def started(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    files = ("--accounts", str(folder / "accounts.json"), "--state", str(folder / "state.jsonl"))
    process = subprocess.Popen((*VENUE, *files), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())["ready"]["venue_url"]
    finally:
        process.kill()
        process.communicate()


def test_kill_9_loses_nothing_that_a_client_has_heard_of(tmp_path: Path) -> None:
    async def test() -> None:
        heard = {}
        for turn in range(2):
            with started(tmp_path) as (process, url):
                path = tmp_path / "accounts.json"
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
                (entry,) = json.loads(path.read_text())
                command = await asyncio.to_thread(Path(f"/proc/{process.pid}/cmdline").read_text)
                assert entry["secret"] not in command
                options = configuration.ConfigurationRestAPI(
                    base_path=url, timeout=20_000, api_key=entry["api_key"], api_secret=entry["secret"]
                )
                rest = sdk.Spot(config_rest_api=options).rest_api
                if not turn:
                    await asyncio.to_thread(rest.depth, symbol=SYMBOL, limit=5)  # waits for the book
                    for kind in (
                        {"type": "MARKET"},
                        {"type": "LIMIT", "price": "30000", "time_in_force": "GTC"},
                    ):
                        order = {"symbol": SYMBOL, "side": "BUY", "quantity": "0.01", **kind}
                        answer = await asyncio.to_thread(rest.new_order, **order)
                        heard[answer.data().order_id] = answer.data().status
                    process.kill()
                    continue
                orders = await asyncio.to_thread(rest.all_orders, symbol=SYMBOL)
                assert {each.order_id: each.status for each in orders.data()} == heard
                account = await asyncio.to_thread(rest.get_account, omit_zero_balances=True)
                assert {each.asset for each in account.data().balances} == {"BTC", "USDT"}
                assert list(heard.values()) == ["FILLED", "NEW"]

    run(test)


@pytest.mark.parametrize(
    ("name", "body", "sentence"),
    [
        ("accounts.json", "{", "accounts file"),
        ("state.jsonl", "nonsense\n", "state file"),
    ],
)
def test_files_that_cannot_be_used_end_it_in_one_sentence(
    tmp_path: Path, name: str, body: str, sentence: str
) -> None:
    (tmp_path / name).write_text(body)
    files = ("--accounts", str(tmp_path / "accounts.json"), "--state", str(tmp_path / "state.jsonl"))
    done = subprocess.run((*VENUE, *files), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    (said,) = done.stderr.strip().splitlines()
    assert said.startswith(f"genesis: {sentence}")
