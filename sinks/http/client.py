"""One HTTP request and its whole answer, within a limit of time and size; any other outcome is TargetUnavailable."""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2 as httpx

from common.errors import SinkError
from sinks.delivery.target import GroupRefused, TargetMisconfigured, TargetUnavailable, TargetUnclear
from sinks.http.statuses import kind_of_status

_LARGEST_ANSWER = 8 << 20  # bytes
_LONGEST_REFUSAL = 500  # characters
_ADVICE = {
    401: "the credentials are not accepted: check `auth` and `sign` of this target, and this machine's clock",
    403: "the credentials do not allow it: check `auth` and `sign` of this target, and its rights over there",
    404: "there is no such path: check `url` of this target and `path` of its mapping",
    405: "it takes no such method there: check `path` and `method` of the mapping",
    408: "it waited too long for the request",
    413: "the request is too large for it: lower `batch.size` in the mapping",
    429: "it wants fewer requests: set or lower `rate` of this target",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer."""

    status: int
    body: bytes
    retry_after: float | None


class Calls:
    """Requests to one application. May be used from several threads."""

    def __init__(self, connect_seconds: float, seconds: float, ca: Path | None) -> None:
        """`seconds` is for one answer in all; `ca` is a file of certificates to trust instead of the system's.

        Raises OSError where that file cannot be read.
        """
        self._seconds = seconds
        self._client = httpx.Client(
            timeout=httpx.Timeout(seconds, connect=connect_seconds),
            verify=ssl.create_default_context(cafile=str(ca)) if ca else True,
            trust_env=False,  # the environment of a worker is no place to redirect invoices from
            follow_redirects=False,
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """The answer, of whatever status. Raises TargetUnavailable where none came, or not all of it."""
        what = f"{method} {shown(url)}"
        deadline = time.monotonic() + self._seconds
        try:
            with self._client.stream(method, url, headers=dict(headers), content=body) as answer:
                pieces, size = list[bytes](), 0
                for piece in answer.iter_bytes():
                    pieces.append(piece)
                    size += len(piece)
                    if size > _LARGEST_ANSWER:
                        raise TargetUnavailable(f"{what}: the answer is longer than {_LARGEST_ANSWER >> 20} MiB")
                    if time.monotonic() > deadline:
                        raise TargetUnavailable(f"{what}: no whole answer in {self._seconds:g} s")
                return Reply(answer.status_code, b"".join(pieces), _retry_after(answer.headers))
        except httpx.TimeoutException as error:
            raise TargetUnavailable(f"{what}: no answer in time ({_name(error)})") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise TargetUnavailable(f"{what}: {_explained(error)}") from error


def unexpected(
    method: str, url: str, reply: Reply, refusal: type[SinkError] = GroupRefused
) -> TargetUnavailable | SinkError:
    """The error for a status that is neither posted nor refused; `refusal` for one that refuses the content."""
    advice = _ADVICE.get(reply.status, "it failed over there; offered again" if reply.status >= 500 else "check `url`")
    words = f"{method} {shown(url)}: answered {reply.status}: {advice}"
    match kind_of_status(reply.status):
        case "transient":
            return TargetUnavailable(words, reply.retry_after)
        case "configuration":
            return TargetMisconfigured(words, reply.retry_after)
        case "content":
            said = " ".join(reply.body.decode(errors="replace").split())[:_LONGEST_REFUSAL]
            return refusal(f"{method} {shown(url)}: answered {reply.status}: {said or advice}")
        case "unknown":
            return TargetUnclear(words, reply.retry_after)


def shown(url: str) -> str:
    """A url for people, without parts that may be a secret."""
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode()}{parts.path}"


def _explained(error: httpx.TransportError | httpx.DecodingError) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError) and "CERTIFICATE" in text.upper():
        return f"its certificate is not trusted ({text}); where it is a private one, set `ca` of this target"
    if isinstance(error, httpx.ConnectError):
        return f"cannot be reached ({text})"
    return f"the answer broke off ({text}), so it is not known whether it was taken"


def _name(error: httpx.TimeoutException) -> str:
    return type(error).__name__


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds of a `Retry-After`, in either of its forms."""
    said = headers.get("Retry-After", "").strip()
    if not said:
        return None
    if said.isdecimal():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    now = datetime.now(UTC)
    return max((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds(), 0.0)
