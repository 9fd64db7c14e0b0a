"""The query set of the log: it reads and appends, and refuses all else."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from django.db import models

from lenticular.common.errors import ConflictError

M = TypeVar("M", bound=models.Model)
REFUSAL = "the classification log is append-only, rows are never changed or deleted"


class AppendOnlyQuerySet(models.QuerySet[M]):
    """Refuses updates and deletions; the database refuses them too (see the migrations)."""

    def update(self, **_fields: Any) -> NoReturn:
        """Refuse: the log is append-only."""
        raise ConflictError(REFUSAL)

    def bulk_update(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: the log is append-only."""
        raise ConflictError(REFUSAL)

    def delete(self) -> NoReturn:
        """Refuse: the log is append-only."""
        raise ConflictError(REFUSAL)
