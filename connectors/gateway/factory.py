"""Factory: the venue that the settings ask for, and no way to another."""

from decimal import Decimal

from genesis.connectors.gateway import credentials, hosts
from genesis.connectors.gateway.binance import BinanceVenue
from genesis.connectors.gateway.credentials import Credentials, CredentialsMissing
from genesis.connectors.gateway.hosts import Kind
from genesis.connectors.gateway.paper import PaperVenue
from genesis.connectors.gateway.venues import TradingVenue
from genesis.connectors.settings import Settings

SIMULATOR_CREDENTIALS = ("simulated-key", "simulated-secret")
"""What the simulator takes unless it is told otherwise; they open nothing else."""


def make_venue(settings: Settings) -> TradingVenue:
    """Return the venue that orders go to.

    Raises
    ------
    GateClosed
        When the settings do not allow it.
    CredentialsMissing
        When there is no API key for it.
    """
    kind = settings.trading
    if kind is Kind.PAPER:
        path = settings.data / "paper" / f"{settings.account}.json"
        return PaperVenue(path, {"USDT": Decimal(settings.paper_capital)})
    url = settings.venue_url if kind is Kind.SIMULATOR else ""
    places = hosts.endpoints(kind, url, settings.unlock_live)
    return BinanceVenue(kind, places, find_credentials(settings))


def find_credentials(settings: Settings) -> Credentials:
    """Return the credentials of these settings; the simulator has some of its own.

    Raises
    ------
    CredentialsMissing
        When there are none.
    """
    is_bare = not (settings.credentials_file or settings.api_key.get_secret_value())
    if is_bare and (settings.vault_address or settings.vault_path):
        from genesis.connectors.gateway.vault import Entrance, VaultClient  # 10 MB that few need

        entrance = Entrance(
            settings.vault_address, settings.vault_token, settings.vault_role_id, settings.vault_secret_id
        )
        return credentials.from_vault(VaultClient(entrance), settings.vault_path)
    try:
        return credentials.find(settings.credentials_file, settings.api_key, settings.api_secret)
    except CredentialsMissing:
        if settings.trading is Kind.SIMULATOR and is_bare:
            return Credentials(*SIMULATOR_CREDENTIALS)
        raise
