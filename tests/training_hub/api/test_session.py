"""Login, roles, CSRF, keys."""

from __future__ import annotations

import pytest

from tests.support.hub import PASSWORD, Hub

ME = "/api/v1/session"


def test_a_person_logs_in_and_out(hub: Hub) -> None:
    person = hub.person("operator")
    me = person.get(ME)
    assert me.status_code == 200
    assert (me.json()["name"], me.json()["role"]) == ("operator", "operator")
    secret = person.cookies["training_hub_session"]
    assert person.delete(ME).status_code == 204
    assert person.get(ME).status_code == 401
    person.cookies.set("training_hub_session", secret)
    assert person.get(ME).status_code == 401, "the session itself has ended, not only its cookie"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(hub: Hub) -> None:
    hub.add_person("viewer")
    answer = hub.anonymous().post(ME, json={"name": "viewer", "password": PASSWORD})
    cookies = {line.partition("=")[0]: line for line in answer.headers.get_list("set-cookie")}
    assert "HttpOnly" in cookies["training_hub_session"]
    assert all("samesite=lax" in line.lower() for line in cookies.values())
    assert PASSWORD not in answer.text


def test_under_https_cookies_are_secure(hub: Hub) -> None:
    hub.add_person("viewer")
    client = hub.anonymous()
    client.base_url = "https://hub.example.org"  # type: ignore[assignment]
    answer = client.post(ME, json={"name": "viewer", "password": PASSWORD})
    lines = answer.headers.get_list("set-cookie")
    assert len(lines) == 2
    assert all(line.startswith("__Host-") and "Secure" in line for line in lines)
    assert answer.headers["strict-transport-security"]


@pytest.mark.parametrize("name", ["viewer", "nobody"])
def test_a_wrong_password_and_an_unknown_name_read_the_same(hub: Hub, name: str) -> None:
    hub.add_person("viewer")
    answer = hub.anonymous().post(ME, json={"name": name, "password": "wrong" * 3})
    assert answer.status_code == 401
    assert answer.json() == {"detail": "name or password is wrong"}


def test_guessing_is_slowed(hub: Hub) -> None:
    hub.add_person("viewer")
    client = hub.anonymous()
    answers = [client.post(ME, json={"name": "viewer", "password": f"guess number {n}"}) for n in range(8)]
    assert [answer.status_code for answer in answers[:6]] == [401] * 6
    assert answers[6].status_code == 429
    assert int(answers[6].headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 204),
        ({"X-CSRF-Token": ""}, 403),
        ({"X-CSRF-Token": "another"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Referer": "https://evil.example/page"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://testserver"}, 204),
    ],
    ids=["own page", "no token", "wrong token", "other origin", "other referer", "cross-site", "own origin"],
)
def test_a_change_by_cookie_needs_token_and_origin(hub: Hub, headers: dict[str, str], status: int) -> None:
    assert hub.person("viewer").delete(ME, headers=headers).status_code == status


def test_login_from_another_sites_page_is_refused(hub: Hub) -> None:
    hub.add_person("viewer")
    body = {"name": "viewer", "password": PASSWORD}
    assert hub.anonymous().post(ME, json=body, headers={"Origin": "https://evil.example"}).status_code == 403


def test_roles_include_the_lower_ones(hub: Hub) -> None:
    statuses = {
        role: hub.person(role).get("/api/v1/audit").status_code for role in ("viewer", "operator", "engineer", "admin")
    }
    assert statuses == {"viewer": 403, "operator": 403, "engineer": 200, "admin": 200}


def test_a_key_needs_no_token_and_is_only_what_its_owner_is(hub: Hub) -> None:
    script = hub.script("viewer")
    assert script.get(ME).json() == {"name": "viewer", "role": "viewer", "csrf_token": None}
    assert script.delete(ME).status_code == 204
    assert script.get("/api/v1/audit").status_code == 403


@pytest.mark.parametrize("value", ["Bearer thk_wrong", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer thg_wrong"])
def test_wrong_keys_are_nobody(hub: Hub, value: str) -> None:
    answer = hub.anonymous().get(ME, headers={"Authorization": value})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_gateways_key_is_no_persons(hub: Hub) -> None:
    assert hub.gateway().get(ME).status_code == 401


def test_logging_in_again_ends_the_session_before(hub: Hub) -> None:
    person = hub.person("viewer")
    old = person.cookies["training_hub_session"]
    answer = person.post(ME, json={"name": "viewer", "password": PASSWORD})
    assert old not in answer.headers["set-cookie"]
    stranger = hub.anonymous()
    stranger.cookies.set("training_hub_session", old)
    assert stranger.get(ME).status_code == 401


def test_every_answer_has_the_security_headers(hub: Hub) -> None:
    for answer in (hub.anonymous().get("/livez"), hub.anonymous().get("/nowhere"), hub.anonymous().get(ME)):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors" in answer.headers["content-security-policy"]


def test_the_audit_log_tells_of_logins_and_filters(hub: Hub) -> None:
    engineer = hub.person("engineer")
    hub.anonymous().post(ME, json={"name": "engineer", "password": PASSWORD})
    hub.anonymous().post(ME, json={"name": "engineer", "password": "wrong" * 3})
    page = engineer.get("/api/v1/audit", params={"action": "session"}).json()
    assert [entry["action"] for entry in page["entries"]] == ["session.refuse", "session.open"]
    assert page["entries"][1]["actor"] == "user:engineer"
    first = engineer.get("/api/v1/audit", params={"limit": 1}).json()
    second = engineer.get("/api/v1/audit", params={"limit": 1, "before": first["next_before"]}).json()
    assert first["entries"][0]["id"] > second["entries"][0]["id"]


def test_one_person_too_often_is_429(hub: Hub) -> None:
    from training_hub.accounts.gate import Gate
    from training_hub.config.accounts import AccountsSection

    settings = hub.parts.settings.model_copy(update={"accounts": AccountsSection(person_per_minute=10)})
    script = hub.script("viewer")
    hub.app.state.gate = Gate(hub.parts.database, settings)
    statuses = [script.get(ME).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
