"""Original files, stored under the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

from django.core.files import File
from django.core.files.storage import FileSystemStorage
from django.utils.crypto import get_random_string
from django.utils.deconstruct import deconstructible

HALF_WRITTEN_SECONDS = 24 * 3600  # nobody writes that long


@deconstructible(path="searchsite.documents.storage.ContentAddressedStorage")
class ContentAddressedStorage(FileSystemStorage):
    """Names are `ab/cd/<sha256>`: the same content is stored once, and no part of a path comes from an upload.

    A file is complete and on the disk before its name exists, so a row that names it can rely on it.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name  # the real name is known only when the content has been read

    def sweep(self) -> None:
        """Remove what writers that were killed have left half written."""
        for path in (Path(self.location) / "incoming").glob("*"):
            with suppress(FileNotFoundError):  # its writer has just finished
                if time.time() - path.stat().st_mtime > HALF_WRITTEN_SECONDS:
                    path.unlink()

    def _save(self, name: str, content: File) -> str:  # type: ignore[type-arg]
        root = Path(self.location)
        aside = root / "incoming" / get_random_string(32)
        aside.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        try:
            with aside.open("xb") as out:
                for chunk in content.chunks():
                    digest.update(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            key = digest.hexdigest()
            target = root / key[:2] / key[2:4] / key
            target.parent.mkdir(parents=True, exist_ok=True)
            aside.replace(target)  # replacing equal content by equal content harms nobody
        finally:
            aside.unlink(missing_ok=True)
        _sync_folder(target.parent)
        return target.relative_to(root).as_posix()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
