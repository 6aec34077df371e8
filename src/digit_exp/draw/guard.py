"""Refuses requests that do not come from the page itself, and sets the headers of every answer.

A page of another site may send requests to a server on this machine, under the server's own
address or, by DNS rebinding, under a name of that site. The first shows in `Origin`, the second in
`Host`. No header of CORS is ever sent.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Passes on requests to `localhost` or the loopback address at one port."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        problem = self._problem(Headers(scope=scope)) if scope["type"] == "http" else None
        if problem is not None:
            refusal = JSONResponse({"detail": problem}, status_code=403)
            await refusal(scope, receive, with_headers)
        else:
            await self.app(scope, receive, with_headers)

    def _problem(self, headers: Headers) -> str | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self.hosts:
            return f"this page is at {' or '.join(sorted(self.hosts))}, not at {host!r}"
        if origin is not None and origin.removeprefix("http://") not in self.hosts:
            return f"requests from {origin!r} are refused; use the page of this server"
        return None
