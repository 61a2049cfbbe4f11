"""Write a bill of materials (CycloneDX 1.6, JSON) of what is installed here and in the lock file.

``make sbom`` writes build/sbom.cdx.json; the build of an image writes /opt/genesis/sbom.cdx.json into it,
with the Debian packages of its base. It needs nothing but the standard library.
"""

import argparse
import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

DPKG = Path("/var/lib/dpkg/status")


def locked(lock: str) -> dict[str, list[str]]:
    r"""Return the sha256 hashes of each ``name==version`` of a lock file.

    >>> locked("numpy==2.4.6 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n")
    {'numpy==2.4.6': ['aa', 'bb']}
    """
    found: dict[str, list[str]] = {}
    pinned = ""
    for line in lock.splitlines():
        if match := re.match(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", line):
            pinned = f"{canonical(match[1])}=={match[2]}"
            found.setdefault(pinned, [])
        found.get(pinned, []).extend(re.findall(r"--hash=sha256:([0-9a-f]+)", line))
    return found


def canonical(name: str) -> str:
    """Return the one spelling of a package's name.

    >>> canonical("Backports.ZSTD")
    'backports-zstd'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def python_components(hashes: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Return the installed distributions that the lock file names."""
    found = {}
    for each in metadata.distributions():
        name, version = canonical(each.metadata["Name"]), each.version
        if (pinned := f"{name}=={version}") not in hashes:
            continue
        said = each.metadata.get("License-Expression") or each.metadata.get("License") or ""
        licence = said.strip().splitlines()[0][:100] if said.strip() else ""
        entry: dict[str, Any] = {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "hashes": [{"alg": "SHA-256", "content": digest} for digest in hashes[pinned]],
        }
        if licence:
            entry["licenses"] = [{"license": {"name": licence}}]
        found[name] = entry
    return [found[name] for name in sorted(found)]


def debian_components(status: str) -> list[dict[str, Any]]:
    r"""Return the packages of a Debian system.

    >>> debian_components("Package: tini\nVersion: 0.19.0-1\nArchitecture: amd64\n")[0]["purl"]
    'pkg:deb/debian/tini@0.19.0-1?arch=amd64'
    """
    found = []
    for block in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if re.match(r"^[A-Z]\S*: ", line))
        if "Package" in fields and "Version" in fields:
            purl = "pkg:deb/debian/{Package}@{Version}?arch={Architecture}".format(**fields)
            kind = {"type": "library", "bom-ref": purl, "purl": purl}
            found.append(kind | {"name": fields["Package"], "version": fields["Version"]})
    return sorted(found, key=lambda each: each["name"])


def bill(lock: Path, *, debian: bool) -> dict[str, Any]:
    """Return the bill of materials of this interpreter's packages."""
    ours = metadata.version("genesis-stream")
    components = python_components(locked(lock.read_text(encoding="utf-8")))
    if debian and DPKG.exists():
        components += debian_components(DPKG.read_text(encoding="utf-8"))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"pkg:pypi/genesis-stream@{ours}",
                "name": "genesis-stream",
                "version": ours,
                "purl": f"pkg:pypi/genesis-stream@{ours}",
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components,
    }


def main() -> int:
    """Write the bill to standard output."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lock", type=Path, required=True, help="lock file with versions and hashes")
    options.add_argument("--debian", action="store_true", help="add the Debian packages of this system")
    given = options.parse_args()
    json.dump(bill(given.lock, debian=given.debian), sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
