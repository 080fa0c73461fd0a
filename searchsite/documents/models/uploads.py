"""What somebody handed in at once, and what became of each file of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from searchsite.documents.models.documents import Collection, Document, Tag, originals
from searchsite.documents.models.work import State
from searchsite.documents.problems import sentence


def _stored_as(_item: UploadItem, _name: str) -> str:
    return "upload"  # the storage names files by their content


class Upload(models.Model):
    """Files, folders, archives or addresses that were handed in together, for one collection."""

    collection = models.ForeignKey(Collection, models.CASCADE, verbose_name=_("collection"))
    tags = models.ManyToManyField(Tag, blank=True, verbose_name=_("tags"))
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, verbose_name=_("added by")
    )
    announced = models.PositiveIntegerField(_("files announced"), default=0)
    cancelled = models.BooleanField(_("cancelled"), default=False)
    created = models.DateTimeField(_("begun"), auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")

    def __str__(self) -> str:
        return f"#{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("upload_page", args=[self.pk])


class UploadItem(models.Model):
    """One file (or archive, or address) of an upload: the document it became, or why it became none."""

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="items")
    name = models.CharField(_("name"), max_length=500)  # with its folders, as it was handed in
    # Handed in as a file of its own, as Upload.announced counts them: no address, and nothing out of an archive.
    announced = models.BooleanField(default=False)
    size = models.BigIntegerField(_("size in bytes"), default=0)
    document = models.ForeignKey(Document, models.SET_NULL, null=True, related_name="upload_items")
    archive = models.FileField(storage=originals, upload_to=_stored_as, max_length=200, blank=True)
    # Of an archive, or of a file that was refused; a document has a state of its own.
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.READY)
    problem = models.JSONField(_("problem"), null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["upload", "name"], name="one_item_a_name")]
        verbose_name = _("file of an upload")
        verbose_name_plural = _("files of uploads")

    def __str__(self) -> str:
        return self.name

    @property
    def reason(self) -> str:
        """Why it failed, as a sentence in the reader's language; empty when it did not."""
        if self.document:
            return self.document.reason
        return sentence(self.problem["code"], self.problem["params"]) if self.problem else ""
