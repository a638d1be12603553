"""What is written in one turn of the loop goes in one piece, in order, and all of it before the end."""

from __future__ import annotations

import asyncio
from typing import cast

from training_hub.serving.corked import Corked


class _Noted(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def test_head_and_body_go_in_one_piece_and_the_next_turns_in_another() -> None:
    async def run() -> list[bytes]:
        corked = Corked(noted := _Noted(), asyncio.get_running_loop())
        corked.write(b"head ")
        corked.write(b"body")
        assert not noted.pieces
        await asyncio.sleep(0)
        corked.write(b"next")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return noted.pieces

    assert asyncio.run(run()) == [b"head body", b"next"]


def test_much_goes_at_once_and_the_rest_before_the_end() -> None:
    async def run() -> _Noted:
        corked = Corked(noted := _Noted(), asyncio.get_running_loop())
        corked.write(b"a" * 70_000)
        assert noted.pieces == [b"a" * 70_000]
        corked.write(b"b")
        corked.close()
        assert noted.closed
        corked.write(b"lost")
        await asyncio.sleep(0)
        return noted

    assert asyncio.run(run()).pieces == [b"a" * 70_000, b"b"]


def test_over_a_socket_megabytes_arrive_whole() -> None:
    parts = [bytes([number % 251]) * (number * 37 % 5_000) for number in range(2_000)]

    async def run() -> bytes:
        loop = asyncio.get_running_loop()

        class Speaker(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                corked = Corked(cast(asyncio.Transport, transport), loop)
                for part in parts:
                    corked.write(part)
                corked.close()

        server = await loop.create_server(Speaker, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            heard = await reader.read(-1)
            writer.close()
            return heard

    assert asyncio.run(run()) == b"".join(parts)
