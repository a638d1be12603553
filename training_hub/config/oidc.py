"""`[accounts.oidc]`: login by an identity provider."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge_agent.settings.base import InconsistencyError, Section
from edge_agent.settings.secret import SecretFile

RoleWord = Literal["viewer", "operator", "engineer", "admin"]


class RoleMapping(Section):
    """A value of the role claim, and the role it gives."""

    claim: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        description="Value in the claim.", examples=["machine-sound-engineers"]
    )
    role: RoleWord = Field(description="Role of those who have it; the highest counts.", examples=["engineer"])


class OidcSection(Section):
    """Login by an identity provider: OpenID Connect, authorisation code with PKCE."""

    issuer: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="The provider's issuer; unset: local accounts only.",
        examples=["https://login.example.org/realms/plant"],
    )
    client_id: str | None = Field(default=None, description="The hub's id there.", examples=["training-hub"])
    client_secret_file: SecretFile | None = Field(
        default=None, description="File with the hub's secret there.", examples=["oidc_client_secret"]
    )
    scopes: str = Field(default="openid profile", description="What is asked for, separated by spaces.")
    name_claim: str = Field(default="preferred_username", description="Claim that becomes the user's name.")
    role_claim: str = Field(default="groups", description="Claim, text or list, that roles are mapped from.")
    default_role: RoleWord | None = Field(
        default=None, description="Role of those whom no mapping names; unset: they are refused.", examples=["viewer"]
    )
    roles: tuple[RoleMapping, ...] = Field(
        default=(), strict=False, max_length=64, description="Which value of the claim gives which role."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.issuer is not None and self.client_id is None:
            raise InconsistencyError((("issuer",), "needs client_id beside it"))
        return self
