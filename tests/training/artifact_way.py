"""A way to a tracking server on which files can be held up, or refused as by a store that is full."""

import socket
import threading
from contextlib import suppress

from tracking_server import Way

REFUSAL = b"HTTP/1.1 500 INTERNAL SERVER ERROR\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class ArtifactWay(Way):
    """Lets everything through but files whose address has a word in it, which it holds up or refuses."""

    def __init__(self, url: str, word: str = "", *, refuse: bool = False) -> None:
        super().__init__(url)
        self.word = word.encode()
        self.refuse = refuse
        self.held = threading.Event()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client = listening.accept()[0]
                server = socket.create_connection(self.target)
                self.pairs += [client, server]
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
                threading.Thread(target=_pass, args=(server, client), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(2**16):
                asked = data.partition(b"\r\n")[0]
                if b" /api/2.0/mlflow-artifacts/" in asked and self.word in asked:
                    self.held.set()
                    if not self.refuse:
                        return
                    client.sendall(REFUSAL)
                    break
                server.sendall(data)
        client.close()
        server.close()


def _pass(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(2**16):
            client.sendall(data)
