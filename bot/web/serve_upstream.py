"""To model servers over connections that are kept: the only home of aiohttp in `bot/`."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

from bot.ports.serving import Backend
from bot.web.serve_call import Broken, Call, NoConnection
from bot.web.serve_headers import Header, answer_headers, request_headers

CONNECT_WITHIN_S = 2.0
# KServe's server, which is uvicorn, ends a connection after 5 s without a request (uvicorn, `--timeout-keep-alive`);
# what is sent in that moment is lost
KEPT_FOR_S = 3.0
# such an answer is sent on when it is whole, so that one that breaks off is a 502 and not half an answer
WHOLE_UP_TO_BYTES = 256 * 1024
ADDED_BY_ITSELF = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
WITHOUT_BODY = (204, 304)


class Upstream:
    """Belongs to the event loop in which it is made."""

    def __init__(self) -> None:
        self._session = ClientSession(
            connector=TCPConnector(limit=0, keepalive_timeout=KEPT_FOR_S),
            timeout=ClientTimeout(total=None, sock_connect=CONNECT_WITHIN_S),
            cookie_jar=DummyCookieJar(),
            skip_auto_headers=ADDED_BY_ITSELF,
            auto_decompress=False,
        )

    async def exchange(self, call: Call, backend: Backend, *, prefix: str, target: str) -> int:
        """Pass a call on and its answer back; gives the answer's status. Raises NoConnection and Broken."""
        headers = request_headers(call.scope, prefix=prefix)
        if call.has_body and call.declared_length is not None:
            headers.append(("content-length", str(call.declared_length)))
        try:
            async with self._session.request(
                call.method,
                URL(backend.address + target, encoded=True),
                headers=headers,
                data=call.body() if call.has_body else None,
                allow_redirects=False,
            ) as answer:
                await _pass_back(answer, call, backend, prefix)
                return answer.status
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise NoConnection(str(error)) from error
        except ClientError as error:
            raise Broken(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        await self._session.close()


async def _pass_back(answer: ClientResponse, call: Call, backend: Backend, prefix: str) -> None:
    if not 200 <= answer.status <= 599:
        raise Broken(f"it answered with status {answer.status}")
    headers = answer_headers(
        answer.raw_headers, revision_id=backend.revision_id, backend=backend.address, prefix=prefix
    )
    length = answer.content_length  # as the parser has understood it
    if call.method == "HEAD" or answer.status in WITHOUT_BODY:
        await call.start(answer.status, [*headers, *_length(length if call.method == "HEAD" else None)])
    elif length is not None and length <= WHOLE_UP_TO_BYTES:
        body = await answer.read()
        await call.start(answer.status, [*headers, *_length(len(body))])
        await call.send(body)
        return
    else:
        await call.start(answer.status, [*headers, *_length(length)])
        async for piece in answer.content.iter_any():
            await call.send(piece, more=True)
    await call.send(b"")


def _length(length: int | None) -> Iterable[Header]:
    return [] if length is None else [(b"content-length", str(length).encode())]
