"""Bodies in the words of `edge_agent.sync.wire`, whose models are strict.

A route declares `record: Strictly[ClipRecord]` where FastAPI, which validates what it has parsed already, would refuse
a list for a tuple and a text for a word of an enumeration.
"""

import json
from typing import Annotated, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, ValidationError
from pydantic_core import core_schema

_Model = TypeVar("_Model", bound=BaseModel)


class _ByJson:
    """Validates as the model's own `model_validate_json` does; the schema stays the model's."""

    def __get_pydantic_core_schema__(
        self, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        def parse(value: object) -> object:
            if isinstance(value, source):
                return value
            try:
                return source.model_validate_json(json.dumps(value))
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                where = ".".join(str(part) for part in first["loc"]) or source.__name__
                raise ValueError(f"{where}: {first['msg']}") from error

        return core_schema.no_info_before_validator_function(parse, handler(source))


Strictly = Annotated[_Model, _ByJson()]
"""A body of this model."""
