"""Taking in files that somebody hands in: each becomes a document, or a sentence that says why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile

from searchsite.documents.extract import safe_name
from searchsite.documents.models import Collection, Document
from searchsite.documents.problems import Problem, megabytes


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    name: str
    document: Document | None
    sentence: str = ""
    copy_of: Document | None = None

    @property
    def ok(self) -> bool:
        return self.document is not None

    @property
    def url(self) -> str:
        return self.document.get_absolute_url() if self.document else ""


def check_size(name: str, size: int) -> None:
    """Raise Problem for an empty file or one over the limit, before anything is stored."""
    limit = settings.SEARCHSITE_MAX_FILE_MB
    if size == 0:
        raise Problem("empty_file", name=name)
    if size > limit * 1024 * 1024:
        raise Problem("too_large", name=name, size=megabytes(size), limit=limit)


def take_in(collection: Collection, file: UploadedFile[Any], user: User | None) -> Outcome:
    """Store one uploaded file as a document, whose reading is queued; what is wrong with it is said, not raised."""
    name = file.name or ""
    try:
        name = safe_name(name)
        check_size(name, file.size or 0)
    except Problem as problem:
        return Outcome(name, None, str(problem))
    document = Document(collection=collection, file=file, name=name, added_by=user)
    document.save()
    return Outcome(name, document, copy_of=document.twins().first())
