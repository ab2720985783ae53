import socket
import threading
import time

import pytest
import uvicorn

from deepfake_ssat.serving import connections

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n"


async def echo(scope, receive, send):
    body = b""
    while len(body) < 8:
        body += (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def connect(monkeypatch):
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    listener = socket.create_server(("127.0.0.1", 0))
    protocol = connections.PromptProtocol
    server = uvicorn.Server(uvicorn.Config(echo, log_level="warning", lifespan="off", http=protocol))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield lambda: socket.create_connection(listener.getsockname(), timeout=60)
    server.should_exit = True
    thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("begun", [b"", HEAD[:20], HEAD + b"complete" + HEAD[:20]])
def test_connection_that_asks_for_nothing_is_closed(connect, begun):
    with connect() as connection:
        connection.sendall(begun)
        answer = b""
        while data := connection.recv(1000):
            answer += data
    assert answer.endswith(b"complete") is (len(begun) > 20)


@pytest.mark.slow
def test_body_may_take_longer(connect):
    with connect() as connection:
        connection.sendall(HEAD + b"slow")
        time.sleep(1)
        connection.sendall(b"poke")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
