"""Who may look, and who may act."""

import http.client
import json

import pytest

from edge_agent.web.gate import Sessions
from tests.web.pages import open_site

TOKEN = "correct horse battery staple"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9105", 200),
        ("localhost", 200),
        ("[::1]:9105", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_without_a_token_only_the_loopbacks_own_name_is_answered(host: str, status: int) -> None:
    """A page elsewhere may point its own name at this computer (DNS rebinding)."""
    with open_site() as site:
        assert site.ask("/api/gateway", headers={"Host": host})[0] == status


def test_strangers_get_nothing_but_the_login() -> None:
    with open_site(TOKEN) as site:
        assert site.ask("/api/overview")[0] == 401
        status, headers, _ = site.ask("/", headers={"Accept": "text/html"})
        assert (status, headers["location"]) == (303, "/login")
        assert site.ask("/login")[0] == 200
        assert site.ask("/static/page.css")[0] == 200
        assert site.ask("/api/overview", headers={"Authorization": "Bearer wrong"})[0] == 401
        assert site.ask("/api/overview", headers={"Cookie": "edge_agent_session=guess"})[0] == 401
        assert site.ask("/api/overview", headers={"Authorization": f"Bearer {TOKEN}"})[0] == 200


def test_a_browser_gives_the_token_once() -> None:
    with open_site(TOKEN) as site:
        status, headers, _ = site.ask("/login", "POST", {"token": TOKEN})
        assert status == 200
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert TOKEN not in cookie
        assert site.ask("/api/overview", headers={"Cookie": cookie.partition(";")[0]})[0] == 200


@pytest.mark.parametrize("body", [{"token": "wrong"}, {"token": 7}, {"token": None}, {}, {"token": ["x"]}])
def test_a_wrong_token_opens_nothing(body: object) -> None:
    with open_site(TOKEN) as site:
        status, headers, said = site.ask("/login", "POST", body)
        assert (status, "set-cookie" in headers) == (401, False)
        assert TOKEN.encode() not in said


def test_guessing_is_slowed_down_even_for_the_right_token() -> None:
    now_s = 0.0
    sessions = Sessions(TOKEN, lambda: now_s)
    assert [sessions.open("wrong") for _ in range(10)] == [None] * 10
    assert sessions.open(TOKEN) is None
    now_s = 61.0
    name = sessions.open(TOKEN)
    assert name is not None
    assert sessions.knows(name)
    now_s += 13 * 3600
    assert not sessions.knows(name)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 401),
        ({"Content-Type": "text/plain"}, 403),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 403),
        ({"Content-Type": "application/json", "Origin": "http://evil.example"}, 403),
        ({}, 403),
    ],
)
def test_another_sites_page_cannot_act(headers: dict[str, str], status: int) -> None:
    with open_site(TOKEN) as site:
        assert site.ask("/login", "POST", body=None, headers={**headers, "Content-Length": "0"})[0] == status


@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b"[]", 400), (b"[" * 5000, 400), (b'"x"', 400), (b"{" + b" " * 20_000, 413)]
)
def test_a_hostile_body_is_refused(content: bytes, status: int) -> None:
    with open_site(TOKEN) as site:
        connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=5)
        connection.request("POST", "/login", content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == status
        assert "error" in json.loads(answer.read())
        connection.close()
