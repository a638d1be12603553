"""Login by an identity provider, against one that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from tests.support.hub import Hub, write_secret
from tests.support.identity_provider import CLIENT_ID, CLIENT_SECRET, IdentityProvider, identity_provider
from training_hub.accounts.errors import AccountError
from training_hub.accounts.oidc import OidcProvider
from training_hub.accounts.people import set_disabled
from training_hub.config.oidc import OidcSection, RoleMapping

BEGIN = "/api/v1/session/oidc"
ME = "/api/v1/session"


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as made:
        yield made


@pytest.fixture
def oidc_hub(hub: Hub, provider: IdentityProvider, tmp_path: Path) -> Hub:
    section = OidcSection(
        issuer=provider.issuer,
        client_id=CLIENT_ID,
        client_secret_file=write_secret(tmp_path / "oidc_client_secret", CLIENT_SECRET),
        roles=(RoleMapping(claim="crew", role="operator"), RoleMapping(claim="leads", role="engineer")),
    )
    hub.app.state.oidc = OidcProvider(section, {})
    return hub


def _log_in(client: TestClient) -> httpx.Response:
    """As a browser: to the provider, and back with what it gave."""
    begun = client.get(BEGIN, follow_redirects=False)
    assert begun.status_code == 302, begun.text
    there = httpx.get(begun.headers["location"], follow_redirects=False)
    assert there.status_code in (302, 307), there.text
    back = there.headers["location"].removeprefix("http://testserver")
    return client.get(back, follow_redirects=False)


def test_a_person_comes_by_the_provider_with_the_role_of_the_mapping(oidc_hub: Hub, provider: IdentityProvider) -> None:
    client = oidc_hub.anonymous()
    answer = _log_in(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    me = client.get(ME).json()
    assert (me["name"], me["role"]) == ("ida", "operator")
    provider.person["groups"] = ["crew", "leads"]
    _log_in(client)
    assert client.get(ME).json()["role"] == "engineer", "the role follows the provider"
    password = oidc_hub.anonymous().post(ME, json={"name": "ida", "password": "anything at all"})
    assert password.status_code == 401, "such an account has no password"


def test_a_key_that_the_provider_changed_is_fetched(oidc_hub: Hub, provider: IdentityProvider) -> None:
    _log_in(oidc_hub.anonymous())
    provider.change_key()
    assert _log_in(oidc_hub.anonymous()).status_code == 303


@pytest.mark.parametrize(
    "spoil",
    [{"iss": "http://evil"}, {"aud": "another"}, {"exp": 1}, {"nonce": "another"}, {"groups": ["nobody"]},
     {"preferred_username": ""}, {"preferred_username": "a b/c"}],
    ids=["issuer", "audience", "expired", "nonce", "no role", "no name", "bad name"],
)  # fmt: skip
def test_a_token_that_is_not_right_logs_nobody_in(
    oidc_hub: Hub, provider: IdentityProvider, spoil: dict[str, object]
) -> None:
    provider.spoil = spoil
    client = oidc_hub.anonymous()
    assert _log_in(client).status_code == 403
    assert client.get(ME).status_code == 401


def test_another_browsers_login_is_refused(oidc_hub: Hub) -> None:
    attacker, victim = oidc_hub.anonymous(), oidc_hub.anonymous()
    begun = attacker.get(BEGIN, follow_redirects=False)
    there = httpx.get(begun.headers["location"], follow_redirects=False)
    back = there.headers["location"].removeprefix("http://testserver")
    assert victim.get(back, follow_redirects=False).status_code == 403
    victim.get(BEGIN, follow_redirects=False)
    assert victim.get(back, follow_redirects=False).status_code == 403, "the state is another login's"


def test_a_local_account_is_not_taken_over_by_its_name(oidc_hub: Hub, provider: IdentityProvider) -> None:
    oidc_hub.add_person("admin")
    provider.person["preferred_username"] = "admin"
    assert _log_in(oidc_hub.anonymous()).status_code == 403


def test_a_shut_account_stays_shut(oidc_hub: Hub) -> None:
    client = oidc_hub.anonymous()
    _log_in(client)
    with oidc_hub.parts.database.transaction() as session:
        set_disabled(session, "ida", True, by="hub")
    assert client.get(ME).status_code == 401
    assert _log_in(oidc_hub.anonymous()).status_code == 403


def test_without_a_provider_there_is_no_such_login(hub: Hub) -> None:
    assert hub.anonymous().get(BEGIN, follow_redirects=False).status_code == 404


def test_a_provider_in_the_clear_is_refused() -> None:
    with pytest.raises(AccountError, match="use https"):
        OidcProvider(OidcSection(issuer="http://login.example.org", client_id="x"), {})
