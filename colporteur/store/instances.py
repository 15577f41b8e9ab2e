"""Rows of a prepared statement as instances of models, with those their foreign keys lead to: what each mailing asks costs a tenth of building
and reading the question anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from django.db import models

from colporteur.store.statements import execute

M = TypeVar("M", bound=models.Model)


class Shape(Generic[M]):
    """A model under a name of the statement; ``related``: the shapes of foreign keys that are read with it."""

    def __init__(self, model: type[M], name: str, **related: Shape[Any]) -> None:
        self._model, self._related = model, related
        fields = model._meta.concrete_fields
        self._attributes = [field.attname for field in fields]
        self._json = [number for number, field in enumerate(fields) if isinstance(field, models.JSONField)]
        self._key = next(number for number, field in enumerate(fields) if field.primary_key)
        self.columns: str = ", ".join([*(f'{name}."{field.column}"' for field in fields), *(shape.columns for shape in related.values())])

    def read(self, query: str, values: Sequence[object]) -> list[M]:
        """The instances a statement answers that selects ``columns``. Raises ``django.db.Error``."""
        return [found for row in execute(query, values).fetchall() if (found := self._take(iter(row)))]

    def _take(self, row: Iterator[Any]) -> M | None:
        """The next instance of a row; None for a foreign key that is empty."""
        values = [next(row) for _ in self._attributes]
        related = {name: shape._take(row) for name, shape in self._related.items()}
        if values[self._key] is None:
            return None
        for number in self._json:
            if values[number] is not None:
                values[number] = json.loads(values[number])
        instance = self._model.from_db("default", self._attributes, values)
        instance._state.fields_cache.update(related)
        return instance
