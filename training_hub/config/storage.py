"""`[storage]`: the database and the object store."""

from pydantic import Field

from edge_agent.settings.base import Section
from edge_agent.settings.secret import SecretFile


class StorageSection(Section):
    """The database and the object store; unset: SQLite and a directory below `server.state_dir`."""

    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL without a password.",
        examples=["postgresql+psycopg://hub@db.example.org/hub"],
    )
    database_password_file: SecretFile | None = Field(
        default=None, description="File with the database's password.", examples=["database_password"]
    )
    objects_url: str | None = Field(
        default=None, description="file:///directory or s3://bucket/prefix.", examples=["s3://machine-sound/hub"]
    )
    s3_endpoint: str | None = Field(
        default=None, description="For S3 that is not Amazon's.", examples=["https://s3.example.org"]
    )
    s3_region: str = Field(default="us-east-1", description="Region of the bucket.")
    s3_access_key_id_file: SecretFile | None = Field(
        default=None, description="File with the access key's id.", examples=["s3_access_key_id"]
    )
    s3_secret_access_key_file: SecretFile | None = Field(
        default=None, description="File with the access key's secret.", examples=["s3_secret_access_key"]
    )
