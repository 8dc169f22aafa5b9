"""What a ComfyUI server tells over its websocket while prompts run: progress bars, previews, errors."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from ..optional import library
from .client import Server, ServerLost


@contextmanager
def events(server: Server, timeout: float = 120) -> Iterator[Iterator[dict[str, Any]]]:
    """The server's messages to this client as they come; a preview image is {"type": "preview", "data": bytes}.

    Raises ServerLost when the server cannot be reached, or says nothing for `timeout` seconds.
    """
    websocket = library("websocket", "websocket-client", "dev", "Following a prompt while it runs")
    url = f"ws{server.url.removeprefix('http')}/ws?clientId={server.client_id}"
    lost = (OSError, websocket.WebSocketException)

    def messages() -> Iterator[dict[str, Any]]:
        while True:
            try:
                message = connection.recv()
            except lost as error:
                raise _lost(server, error) from error
            yield json.loads(message) if isinstance(message, str) else {"type": "preview", "data": message}

    try:
        connection = websocket.create_connection(url, timeout=timeout)
    except lost as error:
        raise _lost(server, error) from error
    with closing(connection):
        yield messages()


def _lost(server: Server, error: Exception) -> ServerLost:
    return ServerLost(f"The ComfyUI server at {server.url} sends no messages: {error}.")
