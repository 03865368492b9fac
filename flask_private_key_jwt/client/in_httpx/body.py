"""Whether the body of a request can be sent a second time; what httpx does not tell is taken for a no."""

from typing import Any

import httpx

from ..errors import UnrepeatableBody


class RequestBody:
    """The body of one request, looked at before it is sent for the first time.

    httpx sends a file from where it stands, so a second time it would send nothing.
    """

    def __init__(self, request: httpx.Request) -> None:
        self._source = _find_source(request)
        self._start = _find_position(self._source)

    def rewind(self, request: httpx.Request) -> None:
        """Make the body ready to be sent again; a file goes back to where it stood.

        :param request: The request, or one that a redirect led to.
        :raises UnrepeatableBody: It can be sent once only.
        """
        if not self._can_repeat(request):
            raise UnrepeatableBody(
                "The request has to be sent again (a nonce, a new token, a redirect or a retry), and its body can be "
                "sent once only: it was not sent again. Repeat the call with a new body, or give bytes or a file."
            )

    def _can_repeat(self, request: httpx.Request) -> bool:
        if isinstance(request.stream, httpx.ByteStream):  # bytes, or none
            return True
        if getattr(request.stream, "_is_stream_consumed", True) is False:  # nothing of it was sent yet
            return True
        if isinstance(fields := getattr(request.stream, "fields", None), list):  # multipart: httpx rewinds each file
            return all(_is_repeatable_part(field) for field in fields)
        source = _find_source(request)
        if source is None or source is not self._source:
            return False
        if self._start is not None:
            source.seek(self._start)
        return self._start is not None or isinstance(source, (list, tuple))


def _find_source(request: httpx.Request) -> Any:
    """What the program gave as content, of which httpx made a stream; ``None``: not known, or asynchronous."""
    stream = request.stream
    return getattr(stream, "_stream", None) if isinstance(stream, httpx.SyncByteStream) else None


def _find_position(source: Any) -> int | None:
    """Where a file stands; ``None`` for everything that cannot go back there."""
    if not _is_seekable(source):
        return None
    try:
        position = source.tell()
    except (OSError, ValueError):
        return None
    return position if isinstance(position, int) else None


def _is_repeatable_part(field: Any) -> bool:
    file = getattr(field, "file", b"")  # a field that is no file has none
    return isinstance(file, (str, bytes)) or _is_seekable(file)


def _is_seekable(file: Any) -> bool:
    return hasattr(file, "read") and hasattr(file, "seekable") and file.seekable() is True
