"""What sections about TLS share: the words of their keys, and which keys belong together."""

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from edge_agent.settings.base import FilePath, InconsistencyError, Section


def trusted_file(example: str) -> Any:  # noqa: ANN401  # as pydantic's own
    """The key `ca_file` of whoever connects."""
    return Field(default=None, description="Certificates to trust. Unset: the system's.", examples=[example])


def own_certificate(whose: str, example: str) -> Any:  # noqa: ANN401
    """The key `cert_file` of whoever connects."""
    return Field(default=None, description=f"{whose} own certificate.", examples=[example])


def own_key(example: str) -> Any:  # noqa: ANN401
    """The key `key_file` of whoever connects."""
    return Field(default=None, description="Key of cert_file, without a passphrase.", examples=[example])


class CertificateSection(Section):
    """A section with `cert_file` and `key_file`, which come together or not at all."""

    if TYPE_CHECKING:  # fields are declared where their words and their place among the others are
        cert_file: FilePath | None
        key_file: FilePath | None

    @model_validator(mode="after")
    def _certificate_and_key_belong_together(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            present, absent = ("cert_file", "key_file") if self.key_file is None else ("key_file", "cert_file")
            raise InconsistencyError(((present,), f"needs {absent} beside it"))
        return self


class SwitchedTlsSection(CertificateSection):
    """The same with `enabled`, without which no file has an effect, and `ca_file`."""

    if TYPE_CHECKING:
        enabled: bool
        ca_file: FilePath | None

    @model_validator(mode="after")
    def _files_have_an_effect(self) -> Self:
        given = next((name for name in ("ca_file", "cert_file") if getattr(self, name) is not None), None)
        if given and not self.enabled:
            raise InconsistencyError(((given,), "has no effect while tls.enabled is false; set it to true"))
        return self
