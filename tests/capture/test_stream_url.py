from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.capture.source import SourceError
from edge_agent.capture.stream_url import SCHEMES, StreamUrl


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp://10.0.0.7:4000", ("tcp", "10.0.0.7", 4000)),
        ("tcp://[::1]:4000", ("tcp", "::1", 4000)),
        ("rtsp://camera.local/press?channel=1&sub=0", ("rtsp", "camera.local", None)),
        ("rtsps://camera.local:322/press", ("rtsps", "camera.local", 322)),
        ("rtp://239.0.0.1:5004", ("rtp", "239.0.0.1", 5004)),
    ],
)
def test_addresses(text: str, expected: tuple[str, str, int | None]) -> None:
    url = StreamUrl.parse(text)
    assert (url.scheme, url.host, url.port) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file:///etc/passwd", "must be tcp://"),
        ("http://host/x", "must be tcp://"),
        ("concat:a|b", "no url has"),
        ("rtsp://", "with a host"),
        ("rtp://host", "needs a port"),
        ("tcp://host", "needs a port"),
        ("tcp://host:1/path", "has a path"),
        ("rtsp://host:99999/x", "cannot be read"),
        ("rtsp://host/a b", "no url has"),
        ("rtsp://host/x'\nfile 'y", "no url has"),
        ("rtsp://host/x\\", "no url has"),
    ],
)
def test_what_is_no_address_is_refused(text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        StreamUrl.parse(text)


@pytest.mark.parametrize("text", ["rtsp://user:hunter2@host/x", "rtsp://hunter2@host/x", "rtsp://:hunter2@host:99999/"])
def test_password_in_an_address_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        StreamUrl.parse(text)
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=40))
def test_whatever_is_accepted_is_safe_in_the_script_of_ffmpeg(path: str) -> None:
    try:
        url = StreamUrl.parse(f"rtsp://host/{path}")
    except SourceError:
        return
    assert url.scheme in SCHEMES
    assert not set(url.text) & set("'\"\\\n\r \t\0`|<>")


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_credentials_cannot_break_out_of_the_address(user: str, password: str) -> None:
    text = StreamUrl.parse("rtsp://host/x").with_credentials(user, password)
    assert not set(text) & set("'\"\\\n\r \0")
    assert text.count("@") == 1
    assert text.endswith("@host/x")
