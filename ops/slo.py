"""Rules and rule tests of the objectives in ops/slo.yaml: multi-window burn rates, RTO and RPO."""

import re
from fractions import Fraction
from typing import Any

Rule = dict[str, Any]

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
OUTAGE_SHARE = (2, 10)
"""Minutes out, per thousandth of error budget, at which the tests look."""

QUIET_MIN = 2 * 24 * 60
"""Before the outage; a longer window holds no more than there is, and promtool takes long for three days."""


def seconds(duration: str) -> int:
    """Return a duration such as ``5m`` in seconds.

    Raises
    ------
    SystemExit
        When it is not a whole number and one of s, m, h, d.
    """
    if not re.fullmatch(r"\d+[smhd]", duration):
        raise SystemExit(f"ops: a duration is a number and one of s, m, h, d, such as 5m; was {duration!r}")
    return int(duration[:-1]) * SECONDS[duration[-1]]


def shortened(duration: str, speed: int) -> str:
    """Return a duration divided by the speed, at least a second; the same text for speed 1."""
    return duration if speed == 1 else f"{max(seconds(duration) * 1_000 // speed, 1_000)}ms"


def groups(promised: dict[str, Any], speed: int) -> dict[str, list[Rule]]:
    """Return the rules of each objective by its name, in small letters."""
    found = {}
    for each in promised["objectives"]:
        lengths = dict.fromkeys(w[end] for end in ("short", "long") for w in promised["windows"])
        recorded = [
            {
                "record": _recorded(each, length),
                "expr": each["bad"].replace("WINDOW", shortened(length, speed)),
            }
            for length in lengths
        ]
        burns = [_burn(each, window) for window in promised["windows"]]
        found[each["name"].lower()] = [*recorded, *burns]
    found["serving"] = [_serving(promised["serving_parts"]), *found["serving"], *_recovery(promised, speed)]
    return found


def _serving(parts: list[str]) -> Rule:
    ready = f'genesis_ready{{part=~"{"|".join(parts)}"}}'
    there = f"(count(count by (part) ({ready})) >= bool {len(parts)})"
    return {"record": "genesis:serving:bool", "expr": f"min({ready}) * {there} or vector(0)"}


def _recorded(objective: dict[str, Any], length: str) -> str:
    return f"genesis:{objective['name'].lower()}_bad:ratio_{length}"


def _budget(objective: dict[str, Any]) -> Fraction:
    return 1 - Fraction(str(objective["percent"])) / 100


def _burn(objective: dict[str, Any], window: dict[str, Any]) -> Rule:
    limit = f"{float(_budget(objective) * Fraction(str(window['rate']))):g}"
    spans = [f"{_recorded(objective, window[end])} > {limit}" for end in ("long", "short")]
    return {
        "alert": f"Genesis{objective['name']}Burn",
        "expr": " and ".join(spans),
        "labels": {"severity": window["severity"], "window": window["long"]},
        "annotations": {
            "summary": f"Error budget burns {window['rate']} times too fast. {objective['meaning']} "
            f"Promised: {objective['percent']} %.",
        },
    }


def _recovery(promised: dict[str, Any], speed: int) -> list[Rule]:
    rto, rpo = shortened(promised["rto"], speed), seconds(promised["rpo"]) / speed
    wanted = {
        "GenesisRtoMissed": (
            f"max_over_time(genesis:serving:bool[{rto}]) == 0",
            f"Not serving for {promised['rto']}, the longest that a recovery may take.",
        ),
        "GenesisRpoMissed": (
            f"max(genesis_epoch_age_seconds) > {rpo:g} or max(genesis_store_lag_seconds) > {rpo:g}",
            f"What came in the last {promised['rpo']} or longer is neither in a snapshot nor in the store.",
        ),
    }
    return [
        {
            "alert": name,
            "expr": expression,
            "labels": {"severity": "critical"},
            "annotations": {"summary": said},
        }
        for name, (expression, said) in wanted.items()
    ]


def tests(promised: dict[str, Any], rules: dict[str, list[Rule]]) -> dict[str, list[dict[str, Any]]]:
    """Return promtool's tests by objective: quiet, a short outage, a long one, after it, and forgotten."""
    found = {
        each["name"].lower(): [_timeline(promised, each, rules[each["name"].lower()])]
        for each in promised["objectives"]
    }
    found["serving"] += _recovery_tests(promised, rules["serving"])
    return found


def _timeline(promised: dict[str, Any], objective: dict[str, Any], rules: list[Rule]) -> dict[str, Any]:
    """Return one outage after two quiet days, in minutes, and what fires at five moments."""
    quiet = QUIET_MIN
    brief, long = (round(float(_budget(objective) * 1_000) * minutes) for minutes in OUTAGE_SHARE)
    later, forgotten = 120, 7 * 60
    name = f"Genesis{objective['name']}Burn"
    moments = {
        quiet - 1: (0, 0),
        quiet + brief - 1: (brief, 0),
        quiet + long - 1: (long, 0),
        quiet + long + later: (long, later),
        quiet + long + forgotten: (long, forgotten),
    }
    spans = ((quiet, "good"), (long, "bad"), (forgotten + 1, "good"))
    return {
        "name": objective["name"],
        "interval": "1m",
        "input_series": [
            {"series": each["series"], "values": _values(each, spans)} for each in objective["test"]
        ],
        "alert_rule_test": [
            {
                "eval_time": f"{minute}m",
                "alertname": name,
                "exp_alerts": [
                    expected(rule)
                    for rule, window in zip(
                        [rule for rule in rules if rule.get("alert") == name],
                        promised["windows"],
                        strict=True,
                    )
                    if _fires(window, float(_budget(objective)), (out, since, minute + 1))
                ],
            }
            for minute, (out, since) in moments.items()
        ],
    }


def _values(each: dict[str, Any], spans: tuple[tuple[int, str], ...]) -> str:
    """Return promtool's notation of a series: constant, or a counter where a figure begins with ``+``."""
    words, at = [], 0
    for count, kind in spans:
        figure = str(each[kind])
        step = int(figure) if figure.startswith("+") else 0
        at = at if figure.startswith("+") else int(figure)
        words.append(f"{at}+{step}x{count - 1}")
        at += step * count
    return " ".join(words)


def _fires(window: dict[str, Any], budget: float, outage: tuple[int, int, int]) -> bool:
    """Say whether an outage (minutes out, since then, and of data in all) burns too much in both windows."""
    out, since, there = outage
    limit = budget * float(window["rate"])
    lengths = (min(seconds(window[end]) // 60, there) for end in ("long", "short"))
    return all(max(min(out, length - since), 0) / length > limit for length in lengths)


def expected(rule: Rule, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """Return how promtool should find a rule that fires."""
    return {"exp_labels": rule["labels"] | (labels or {}), "exp_annotations": rule["annotations"]}


def _recovery_tests(promised: dict[str, Any], rules: list[Rule]) -> list[dict[str, Any]]:
    rto, rpo = seconds(promised["rto"]) // 60, seconds(promised["rpo"])
    by_name = {rule["alert"]: rule for rule in rules if "alert" in rule}
    ready = [f'genesis_ready{{part="{part}"}}' for part in promised["serving_parts"]]

    def case(name: str, series: dict[str, str], moments: dict[int, bool]) -> dict[str, Any]:
        return {
            "name": name,
            "interval": "1m",
            "input_series": [{"series": key, "values": value} for key, value in series.items()],
            "alert_rule_test": [
                {
                    "eval_time": f"{minute}m",
                    "alertname": name,
                    "exp_alerts": [expected(by_name[name])] if fires else [],
                }
                for minute, fires in moments.items()
            ],
        }

    return [
        case(
            "GenesisRtoMissed",
            dict.fromkeys(ready, f"1+0x9 0+0x{2 * rto}"),
            {9: False, 9 + rto - 2: False, 9 + rto + 2: True},
        ),
        case(
            "GenesisRpoMissed",
            {'genesis_epoch_age_seconds{part="account"}': f"{rpo - 60}+120x1"},
            {0: False, 1: True},
        ),
    ]
