"""The page of the Helm chart: how to install it, and its values as values.yaml describes them."""

import json
import re
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parent.parent / "helm" / "genesis"
MARK = "# -- "

HEAD = """# The chart of GENESIS

Each part is a pod of its own: market flow, account flow and archive are StatefulSets; feed, ticker and
gateway are Deployments that are never doubled (`Recreate`; the ledger's fence stops a gateway that did not
notice its end). Kafka, ClickHouse and PostgreSQL are yours; the chart connects to them. It needs two secrets:
the keys (the folder DATA/keys of a `genesis up`, or files of 32 random bytes each) and the address of
PostgreSQL (`postgresql+psycopg://user:password@host/database`).

    kubectl create secret generic genesis-keys --from-file=FOLDER
    kubectl create secret generic genesis-ledger --from-file=url=FILE
    helm install genesis helm/genesis -f helm/genesis/examples/laptop.yaml --set broker.servers=kafka:9092

Examples: [laptop](examples/laptop.yaml), [small cluster](examples/small-cluster.yaml),
[production in Singapore](examples/production-singapore.yaml). A value that is misspelt, of the wrong type
or missing is refused before anything is sent to the cluster, and so are production in another region and a
secret that is not in the namespace or lacks a key (`helm template` has no cluster to look at).

- **Upgrade**: `helm upgrade --rollback-on-failure --wait`. Before it, a Job runs `genesis migrate`: when
  broker or ledger do not answer, or a setting is unknown, it ends there and no part was touched;
  `kubectl logs job/genesis-migrate` has the sentence. With `metrics.enabled` parts count as updated when they
  answer /readyz, else the release goes back to what ran.
- **A secret that changes** is read at the next start: `kubectl rollout restart`.
- **Drain**: SIGTERM lets a part finish what it holds, for `terminationGraceSeconds`. One pod of each part
  may be away.
- **A new version of the market flow** beside the old one, compared row by row before it may write: pin
  the old one with `colours.blueTag`, set `colours.enabled` and `colours.greenTag`, upgrade, and lead it
  with `genesis release start`, `promote` and `rollback` in the dashboard's pod. Then set
  `colours.blueReplicas` to 0. The next release goes from green to blue: `colours.candidate: blue`, its tag,
  and its pod; it begins with a copy again, and green is not touched.
- **Volumes** are kept when the release is removed: the market flow's snapshots, the audit chain's anchor.
- **Test**: with `metrics.enabled`, `helm test genesis` asks every part's /readyz.
- **Dashboard**: see the notes that `helm install` prints.
- **Strategies** are no part of the chart: `genesis strategy` works on the system of a `genesis up`.
- **Growth**: shards and workers of the market flow are threads of one pod; more pods for one market flow are
  not supported.

## Values

| value | default | meaning |
|---|---|---|
"""


def _default(path: list[str], values: object) -> object:
    for name in path:
        values = values[name]  # type: ignore[index]
    return values


def page() -> str:
    """Return helm/genesis/README.md.

    Raises
    ------
    SystemExit
        When a value has no description.
    """
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    rows, said, section = [], "", ""
    for line in text.splitlines():
        if line.strip().startswith(MARK):
            said = line.strip().removeprefix(MARK)
            continue
        key = re.match(r"( *)([A-Za-z]+):(.*)", line)
        if key is None:
            continue
        indent, name, rest = key.groups()
        if not indent and not rest.strip():
            section = name
            continue
        path = [section, name] if indent else [name]
        if not said:
            raise SystemExit(
                f"helm/genesis/values.yaml: {'.'.join(path)} lacks a line that begins with {MARK!r}"
            )
        rows.append(f"| `{'.'.join(path)}` | `{json.dumps(_default(path, values))}` | {said} |\n")
        said = ""
    return HEAD + "".join(rows)
