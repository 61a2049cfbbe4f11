"""Keys: one secret for each role, in files that only their owner can read.

Law: a key is 32 random bytes in DATA/keys/ROLE.key, made once and never changed by us. It is in a file
and not in the environment, because children inherit an environment and others can list it. A key ring
shows the names of its keys, never a byte of them: not in ``repr``, logs, errors or pickles.
"""

import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from genesis.connectors import logs
from genesis.connectors.settings import Settings
from genesis.operators.account.events import Role
from genesis.operators.account.signing import KEY_BYTES_MIN

PERMIT = "permit"
"""Key of the permits: the account flow signs, the gateway verifies."""

AUDIT = "audit"
"""Key of the audit chain, of the ledger's snapshots and of the anchor."""

NAMES = (*(str(role) for role in Role), PERMIT, AUDIT)

KEY_BYTES_MAX = 4_096
"""Nothing larger is taken for a key."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeysError(RuntimeError):
    """The keys cannot be used; the message says which and why, and nothing of what is in them."""


class KeyRing(Mapping[str, bytes]):
    """Keys by name.

    >>> ring = KeyRing({"trader": b"t" * 32, "permit": b"p" * 32})
    >>> ring, list(ring.only("permit")), "trader" in ring.only("permit")
    (KeyRing(trader, permit), ['permit'], False)
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        for name, key in keys.items():
            if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
                raise KeysError(
                    f"key {name!r} must have {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes, had {len(key)}: "
                    "take it from a backup"
                )
        self._keys = dict(keys)

    def only(self, *names: str) -> "KeyRing":
        """Return a ring with these keys alone.

        Raises
        ------
        KeysError
            When one is not in this ring.
        """
        return KeyRing({name: self[name] for name in names})

    def __getitem__(self, name: str) -> bytes:
        try:
            return self._keys[name]
        except KeyError:
            raise MissingKey(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys are never pickled: a recovery folder or a queue would keep them")


class MissingKey(KeysError, KeyError):
    """The ring has no key of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no key {name[:32]!r} here: a process has only those that it needs")

    def __str__(self) -> str:
        return str(self.args[0])


def folder_of(settings: Settings) -> Path:
    """Return where the keys are."""
    return Path(settings.keys) if settings.keys else settings.data / "keys"


def open_keys(settings: Settings, *names: str) -> KeyRing:
    """Return the keys of these names, or all.

    Raises
    ------
    KeysError
        When one is missing, cannot be read, or others can read it.
    """
    folder = folder_of(settings)
    _refuse_if_shared(folder)
    return KeyRing({name: _read(folder / f"{name}.key") for name in names or NAMES})


def create_keys(settings: Settings) -> KeyRing:
    """Return all keys, making those that are not there yet; for the supervisor, before anything starts.

    Two processes that do this at once get the same keys.

    Raises
    ------
    KeysError
        When a key cannot be used; see `open_keys`.
    """
    folder = folder_of(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_if_shared(folder)
    for name in NAMES:
        _create(folder / f"{name}.key")
    return open_keys(settings)


def _create(path: Path) -> None:
    if path.exists():
        return
    # Whole before it has its name: a process that ends here leaves no half of a key.
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        file = os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.write(file, secrets.token_bytes(KEY_BYTES_MIN))
            os.fsync(file)
        finally:
            os.close(file)
        try:
            os.link(scratch, path)
        except FileExistsError:  # another process was quicker: its key is the key
            return
    except OSError as error:
        raise KeysError(f"the key {path} cannot be made: {(error.strerror or '').lower()}") from None
    finally:
        scratch.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        _refuse_if_shared(path)
        with path.open("rb") as file:
            key = file.read(KEY_BYTES_MAX + 1)
    except OSError as error:
        raise KeysError(f"the key {path} cannot be read: {(error.strerror or '').lower()}") from None
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise KeysError(
            f"the key {path} must have {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes, has {len(key)}: take it "
            "from a backup"
        )
    logs.hide(key.hex())
    return key


def _refuse_if_shared(path: Path) -> None:
    """Raise `KeysError` when others than the owner can get at a folder or file.

    What root owns may be readable by a group when we are not root: so orchestrators mount secrets.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise KeysError(
            f"there are no keys at {path}: `genesis keys` makes them once, and `genesis up` does too"
        ) from None
    except OSError as error:
        raise KeysError(f"the keys at {path} cannot be reached: {(error.strerror or '').lower()}") from None
    mounted = found.st_uid == 0 != os.getuid()
    shared = found.st_mode & (stat.S_IRWXO | stat.S_IWGRP if mounted else _OTHERS)
    if shared or found.st_uid not in (0, os.getuid()):
        remedy = "700" if path.is_dir() else "600"
        raise KeysError(
            f"others can read {path} (mode {stat.S_IMODE(found.st_mode):03o}): a key that others know "
            f"protects nothing. Use chmod {remedy} {path}, and new keys if somebody may have read them"
        )
