"""What documents came to: their text, and the passages of it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from searchsite.documents.models.documents import Document


class Revision(models.Model):
    """What one content and title of a document came to. Only the document's live revision is ever found or shown."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="revisions")
    content_hash = models.CharField(max_length=64, db_index=True)
    given_title = models.CharField(max_length=300, blank=True)
    title = models.CharField(max_length=300)
    kind = models.CharField(max_length=20, blank=True)
    found_title = models.CharField(max_length=300, blank=True)  # in the file, not its name
    # Passages are encoded under this title where it is not empty: that of an earlier copy of the same content.
    encoded_title = models.CharField(max_length=300, blank=True)
    author = models.CharField(max_length=200, blank=True)
    written = models.DateField(null=True)
    language = models.CharField(max_length=10, default="en")
    pipeline = models.CharField(max_length=40)
    text = models.TextField()
    unread = models.JSONField(default=list)
    pages = models.JSONField(null=True)
    headings = models.JSONField(default=list)
    preformatted = models.JSONField(default=list)
    split = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")

    def __str__(self) -> str:
        return f"{self.title} ({self.pk})"

    @property
    def unread_pages(self) -> str:
        """The numbers of the pages that are pictures and were not read, as "1, 3–5"; empty when all were."""
        runs: list[list[int]] = []
        for page in self.unread:
            if runs and page == runs[-1][-1] + 1:
                runs[-1] = [runs[-1][0], page]
            else:
                runs.append([page])
        return ", ".join("–".join(map(str, run)) for run in runs)


class Passage(models.Model):
    """A stretch of a revision's text: `revision.text[start:end] == text`, counted in characters."""

    revision = models.ForeignKey(Revision, models.CASCADE, related_name="passages")
    ordinal = models.PositiveIntegerField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    page = models.PositiveIntegerField(null=True)
    heading_path = models.JSONField(default=list)
    language = models.CharField(max_length=10, default="en")
    text = models.TextField()

    class Meta:
        verbose_name = _("passage")
        verbose_name_plural = _("passages")
        constraints = [models.UniqueConstraint(fields=["revision", "ordinal"], name="one_passage_an_ordinal")]

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"
