"""Who may look, and who may act."""

import http.client
import json

import pytest
from starlette.requests import Request

from edge_agent.web.gate import Sessions, caller_of
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


@pytest.mark.parametrize("host", ["[::1", "localhost]", "[", "a b", "\xff"])
def test_a_host_that_cannot_be_read_is_refused(host: str) -> None:
    with open_site() as site:
        assert site.ask("/api/gateway", headers={"Host": host})[0] == 421


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"])
def test_a_proxy_does_not_open_to_the_network_what_asks_for_no_token(header: str) -> None:
    with open_site() as site:
        assert site.ask("/api/overview", headers={header: "127.0.0.1"})[0] == 421


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/overview", {"Host": "a/login?"}),
        ("/api/overview", {"X-Forwarded-For": "127.0.0.1", "Host": "localhost"}),
        ("/api/overview", {"X-Original-URL": "/login", "X-Rewrite-URL": "/static/page.css"}),
        ("/api/live?token=correct+horse+battery+staple", {}),
        ("/login/../api/overview", {}),
        ("/static/../api/overview", {}),
        ("//api/overview", {}),
        ("/login%2f..%2fapi/overview", {}),
        ("/loginx", {}),
        ("/api/live", {"Upgrade": "websocket", "Connection": "Upgrade"}),
        ("/metrics", {}),
        ("/healthz", {}),
        ("/api/overview", {"Authorization": "Basic " + TOKEN}),
        ("/api/overview", {"Authorization": "Bearer "}),
        ("/api/overview", {"Cookie": "edge_agent_session=; edge_agent_session=" + "x" * 43}),
    ],
)
def test_there_is_no_way_round_the_token(path: str, headers: dict[str, str]) -> None:
    with open_site(TOKEN) as site:
        status, _, body = site.ask(path, headers=headers)
        assert status in (401, 404)
        assert b"pump_1" not in body


@pytest.mark.parametrize(
    "content", [b'{"token": "\\ud800"}', b'{"\\ud800": 1}', b'{"token": NaN}', b'{"token": 1e999}', b"\xff"]
)
def test_half_a_letter_and_no_number_are_refused(content: bytes) -> None:
    with open_site(TOKEN) as site:
        connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=5)
        connection.request("POST", "/login", content, {"Content-Type": "application/json"})
        assert connection.getresponse().status == 400
        connection.close()


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.web.requests._BODY_WITHIN_S", 0.2)
    with open_site(TOKEN) as site:
        connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=5)
        connection.putrequest("POST", "/login")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "100")
        connection.endheaders(b"{")
        assert connection.getresponse().status == 408
        connection.close()


def test_machines_that_guess_are_slowed_down_and_hold_up_nobody_else() -> None:
    now_s = 0.0
    sessions = Sessions(TOKEN, lambda: now_s)
    right = f"Bearer {TOKEN}".encode()
    assert sessions.bearer(right, "10.0.0.1")
    assert not any(sessions.bearer(b"Bearer wrong", "10.0.0.1") for _ in range(10))
    assert not sessions.bearer(right, "10.0.0.1")
    assert sessions.open(TOKEN, "10.0.0.1") is None
    assert sessions.bearer(right, "10.0.0.2")
    assert sessions.open(TOKEN, "10.0.0.2") is not None
    now_s = 61.0
    assert sessions.bearer(right, "10.0.0.1")


def test_who_guesses_from_many_addresses_takes_no_memory() -> None:
    sessions = Sessions(TOKEN, lambda: 0.0)
    for index in range(5000):
        sessions.bearer(b"Bearer wrong", f"10.0.{index // 250}.{index % 250}")
    assert len(sessions._failures_s) <= 256


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"), ("testclient", "testclient"),
    ],
)  # fmt: skip
def test_a_network_of_ipv6_is_one_caller(address: str, caller: str) -> None:
    assert caller_of(Request({"type": "http", "client": (address, 1), "headers": []})) == caller
