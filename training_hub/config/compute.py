"""`[compute]`: where features, evaluations and fits are computed."""

from typing import Literal, Self

from pydantic import Field, model_validator

from edge_agent.settings.base import FilePath, InconsistencyError, Section


class ComputeSection(Section):
    """Where features, evaluations and fits are computed: in this process, or on a Dask cluster."""

    scheduler: str = Field(
        default="local",
        pattern=r"^(local|(tcp|tls)://.+)$",
        description="`local`, or a Dask scheduler's address. Who reaches one can run code: use tls off one machine.",
        examples=["tls://scheduler.example.org:8786"],
    )
    local: Literal["threads", "processes"] = Field(default="threads", description="How local work is spread.")
    workers: int = Field(default=0, ge=0, le=256, description="Local threads or processes; 0 for one per CPU.")
    tls_ca_file: FilePath | None = Field(default=None, description="Certificate authority of the Dask cluster, PEM.")
    tls_certificate_file: FilePath | None = Field(default=None, description="The hub's certificate for it, PEM.")
    tls_key_file: FilePath | None = Field(default=None, description="The key of that certificate, PEM.")

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        files = (self.tls_ca_file, self.tls_certificate_file, self.tls_key_file)
        if self.scheduler.startswith("tls://") and None in files:
            raise InconsistencyError((("scheduler",), "tls needs tls_ca_file, tls_certificate_file and tls_key_file"))
        return self
