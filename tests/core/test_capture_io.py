"""What a snapshot says of sockets, streams, pipes and processes: descriptor, peer, process."""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import sys

import pytest
from live import end, parked, start
from snapshots import run, task

import agraph

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes of a selector loop")


async def io_of(coroutine):
    """The detail of what a task waits for, directly or through a future that only it knows."""
    waiting = start(coroutine, "waits")
    await parked(waiting)
    while True:
        snapshot = agraph.capture()
        nodes = {node.id: node for node in snapshot.nodes}
        ahead = [task(snapshot, "waits").id]
        for number in ahead:
            ahead += [e.awaited for e in snapshot.edges if e.waiter == number and e.awaited not in ahead]
        found = [nodes[number].detail or {} for number in ahead if nodes[number].kind == "io"]
        if found or waiting.done():
            await end(waiting)
            return found[0]
        await asyncio.sleep(0)


def served(connect, **options):
    """Run `connect(port)`, with a server that says nothing."""

    async def main():
        kept = []
        server = await asyncio.start_server(lambda *streams: kept.append(streams), "127.0.0.1", 0, **options)
        try:
            return await connect(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            for _reader, writer in kept:
                writer.transport.abort()

    return run(main())


def test_a_stream_has_its_descriptor_and_peer():
    async def connect(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        fd = writer.get_extra_info("socket").fileno()
        found = await io_of(reader.read(1))
        writer.transport.abort()
        return found, fd, port

    found, fd, port = served(connect)
    assert found == {"operation": "read", "fd": fd, "peer": f"127.0.0.1:{port}"}


@pytest.fixture
def certificate(tmp_path):
    """A certificate with its key, in one file."""
    openssl, path = shutil.which("openssl"), tmp_path / "certificate.pem"
    if openssl is None:
        pytest.skip("makes a certificate with openssl")
    wanted = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run(
        [openssl, *wanted, "-keyout", path, "-out", path.with_suffix(".crt")], check=True, timeout=60
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


def test_a_stream_over_tls_has_those_of_the_connection_below(certificate):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE

    async def connect(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        fd = writer.get_extra_info("socket").fileno()
        found = await io_of(reader.read(1))
        writer.transport.abort()
        return found, fd, port

    found, fd, port = served(connect, ssl=server)
    assert found == {"operation": "read", "fd": fd, "peer": f"127.0.0.1:{port}"}


@pytest.mark.stock_loop
def test_a_socket_has_its_descriptor_and_peer():
    async def connect(port):
        sock = socket.socket()
        sock.setblocking(False)
        with sock:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            return await io_of(asyncio.get_running_loop().sock_recv(sock, 1)), sock.fileno(), port

    found, fd, port = served(connect)
    assert found == {"operation": "sock_recv", "fd": fd, "peer": f"127.0.0.1:{port}"}


def test_a_pipe_has_its_descriptor():
    async def main():
        ours, other = os.pipe()
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        with os.fdopen(other, "wb"):
            transport, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", 0)
            )
            found = await io_of(reader.read(1))
            transport.close()
        return found, ours

    found, ours = run(main())
    assert found == {"operation": "read", "fd": ours}


def test_a_subprocess_has_its_number():
    async def main():
        program = "import sys; sys.stdin.read()"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdin=asyncio.subprocess.PIPE
        )
        found = await io_of(process.wait())
        process.stdin.close()
        await process.wait()
        return found, process.pid

    found, pid = run(main())
    assert found["pid"] == pid
