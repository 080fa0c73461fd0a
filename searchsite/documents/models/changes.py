"""The rows of the change log (documents/changes.py)."""

from __future__ import annotations

from django.db import models


class ChangeCounter(models.Model):
    """One row: the number of the latest change (see changes.py)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)


class Change(models.Model):
    """One document whose findable content changed with that number. No foreign key: the document may be gone."""

    number = models.BigIntegerField(db_index=True)
    document_id = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.number}: {self.document_id}"
