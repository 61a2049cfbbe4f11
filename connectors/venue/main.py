"""The venue as a process: listen, play, and stop cleanly on SIGTERM or SIGINT."""

import asyncio
import errno
import signal
from collections.abc import Callable

from aiohttp import web

from genesis.connectors.venue.server import VenueError, VenueOptions, VenueServer

SHUTDOWN_S = 2.0
"""How long open requests are waited for at the end."""

REQUEST_LINE_BYTES_MAX = 64 * 1024
"""Longest address: 1024 streams fit into it."""


async def serve(
    options: VenueOptions,
    ready: Callable[[str, VenueServer], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run a venue until a signal comes or ``stop`` is set; it goes on answering when the play is over.

    Parameters
    ----------
    options
        What it is made of.
    ready
        Called once with the base address, such as ``http://127.0.0.1:8777``, when clients can connect.
    stop
        An event to stop by.

    Raises
    ------
    RecordingError, FaultError, VenueError
        When the options name what there is not, or the port is taken.
    """
    server = VenueServer(options)
    stop = stop or asyncio.Event()
    runner = web.AppRunner(
        server.app, access_log=None, shutdown_timeout=SHUTDOWN_S, max_line_size=REQUEST_LINE_BYTES_MAX
    )
    await runner.setup()
    player: asyncio.Task[None] | None = None
    try:
        base_url = await _listen(runner, options)
        _stop_on_signals(stop)
        player = asyncio.create_task(server.player.run())
        if ready is not None:
            ready(base_url, server)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({player, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if player.done():
            player.result()
        await stopped
    finally:
        if player is not None:
            player.cancel()
        for connection in tuple(server.hub.connections):
            connection.abort()
        await runner.cleanup()


async def _listen(runner: web.AppRunner, options: VenueOptions) -> str:
    site = web.TCPSite(runner, options.host, options.port)
    try:
        await site.start()
    except OSError as error:
        place = f"{options.host}:{options.port}"
        if error.errno == errno.EADDRINUSE:
            raise VenueError(f"{place} is in use; stop what listens there or choose another --port") from None
        raise VenueError(f"cannot listen on {place}: {error.strerror}; choose another --port") from None
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except (NotImplementedError, RuntimeError, ValueError):  # not in the main thread
            return
