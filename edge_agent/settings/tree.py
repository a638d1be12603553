"""The settings as a tree of tables, lists and leaves, read off the models' annotations."""

import types
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Table:
    """A table: one model, or several told apart by their `kind`."""

    models: tuple[type[BaseModel], ...]

    @property
    def fields(self) -> dict[str, FieldInfo]:
        """Every key of the table, of all its kinds."""
        return {name: field for model in self.models for name, field in model.model_fields.items()}

    @property
    def kinds(self) -> tuple[str, ...]:
        """What `kind` may say; empty for a table of one kind."""
        if len(self.models) == 1:
            return ()
        return tuple(get_args(model.model_fields["kind"].annotation)[0] for model in self.models)


@dataclass(frozen=True)
class Items:
    """A list; `item` is what it holds."""

    item: "Node"


@dataclass(frozen=True)
class Leaf:
    """A single value; `scalar` is its type with None and constraints taken off."""

    scalar: Any


Node = Table | Items | Leaf


def node_of(annotation: Any) -> Node:  # noqa: ANN401 (annotations have no common type)
    """What an annotation stands for in the tree."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        options = [option for option in get_args(annotation) if option is not type(None)]
        if len(options) == 1:
            return node_of(options[0])
        return Table(tuple(options))
    if get_origin(annotation) is tuple:
        return Items(node_of(get_args(annotation)[0]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Table((annotation,))
    return Leaf(annotation)


def choices_of(leaf: Leaf) -> tuple[str, ...]:
    """The values that a leaf is limited to; empty when it is not."""
    return get_args(leaf.scalar) if get_origin(leaf.scalar) is Literal else ()
