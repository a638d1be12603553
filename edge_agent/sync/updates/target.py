"""What the signed metadata says of a bundle: the words that approver, hub and gateway share.

Signed JSON is canonical, which knows no fractions: every number here is whole.
"""

from typing import Annotated, Literal

from pydantic import Field, ValidationError
from tuf.api.metadata import TargetFile

from edge_agent.delivery.fields import Sha256, Text, WireModel
from edge_agent.inference.manifest import BundleRef, Id, Version
from edge_agent.sync.updates.errors import UpdateError


class TargetCustom(WireModel):
    """The `custom` part of a target.

    Attributes:
        name, version, sha256: The bundle, as its manifest has it.
        minimum_agent_version: Older agents leave it alone.
        gate: What the comparison with the bundle in use came to; `none` where nobody compared.
        overridden: Why an administrator rolls it out all the same.
    """

    name: Id
    version: Version
    sha256: Sha256
    minimum_agent_version: Version
    gate: Literal["passed", "refused", "none"] = "none"
    overridden: Annotated[Text, Field(max_length=500)] = ""

    @property
    def ref(self) -> BundleRef:
        """The bundle."""
        return BundleRef(name=self.name, version=self.version, sha256=self.sha256)


def target_name(ref: BundleRef) -> str:
    """The path of a bundle's target: one directory, as gateways know it by.

    >>> target_name(BundleRef(name="default", version="1.2.0", sha256="ab" * 32))
    'default-1.2.0-abababababab.tar'
    """
    return f"{ref.name}-{ref.version}-{ref.sha256[:12]}.tar"


def custom_of(target: TargetFile) -> TargetCustom:
    """What the metadata says of a target.

    Raises:
        UpdateError: Nothing, or nonsense.
    """
    try:
        return TargetCustom.model_validate(target.custom)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "custom"
        raise UpdateError(f"target {target.path}: {where}: {first['msg']}; approve the bundle again") from error
