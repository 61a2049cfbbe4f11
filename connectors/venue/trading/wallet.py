"""A wallet: free and locked amounts of each asset, exact.

Law: neither part of an amount is ever negative, and locking moves between the parts; their sum stays.
"""

from decimal import Decimal

from genesis.connectors.venue.trading.errors import insufficient_balance
from genesis.operators.order_matching import ZERO


class Wallet:
    """What an account owns.

    Examples
    --------
    >>> wallet = Wallet({"USDT": Decimal(100)})
    >>> wallet.lock("USDT", Decimal(30))
    >>> str(wallet.free("USDT")), str(wallet.locked("USDT"))
    ('70', '30')
    """

    def __init__(self, free: dict[str, Decimal]) -> None:
        self._free = dict(free)
        self._locked: dict[str, Decimal] = {}
        self.changed: set[str] = set()  # assets since somebody last looked

    @property
    def assets(self) -> list[str]:
        """All assets that were ever owned."""
        return sorted({*self._free, *self._locked})

    def free(self, asset: str) -> Decimal:
        """Return what may be spent."""
        return self._free.get(asset, ZERO)

    def locked(self, asset: str) -> Decimal:
        """Return what open orders hold."""
        return self._locked.get(asset, ZERO)

    def amounts(self, asset: str) -> tuple[Decimal, Decimal]:
        """Return the free and the locked amount."""
        return self.free(asset), self.locked(asset)

    def restore(self, amounts: dict[str, tuple[Decimal, Decimal]]) -> None:
        """Hold amounts that were kept."""
        for asset, (free, locked) in amounts.items():
            self._free[asset], self._locked[asset] = free, locked

    def add(self, asset: str, amount: Decimal) -> None:
        """Add to the free amount, or take away.

        Raises
        ------
        ApiError
            When less than nothing would be left; nothing is changed then.
        """
        if self.free(asset) + amount < ZERO:
            raise insufficient_balance()
        self._free[asset] = self.free(asset) + amount
        self.changed.add(asset)

    def lock(self, asset: str, amount: Decimal) -> None:
        """Move from free to locked.

        Raises
        ------
        ApiError
            When there is not enough; nothing is changed then.
        """
        self.add(asset, -amount)
        self._locked[asset] = self.locked(asset) + amount

    def unlock(self, asset: str, amount: Decimal) -> None:
        """Move from locked to free."""
        left = self.locked(asset) - amount
        assert left >= ZERO, f"{asset}: unlocked {amount}, but only {self.locked(asset)} was locked"
        self._locked[asset] = left
        self.add(asset, amount)
