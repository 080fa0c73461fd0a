"""Collections, documents, revisions and passages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.files.storage import Storage, storages
from django.core.validators import MaxLengthValidator
from django.db import models, transaction
from django.db.models import OuterRef, Q, Subquery
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from searchsite.documents import changes
from searchsite.documents.models.members import Membership
from searchsite.documents.models.work import Job, State
from searchsite.documents.problems import sentence


class Collection(models.Model):
    """Documents that belong together, and who may read them."""

    class Visibility(models.TextChoices):
        PUBLIC = "public", _("everyone")
        SIGNED_IN = "signed_in", _("everyone who is signed in")
        MEMBERS = "members", _("members only")

    name = models.CharField(_("name"), max_length=200, unique=True)
    slug = models.SlugField(_("short name for addresses"), max_length=60, unique=True)
    description = models.TextField(_("description"), blank=True)
    visibility = models.CharField(
        _("who may read it"), max_length=20, choices=Visibility.choices, default=Visibility.MEMBERS
    )
    groups = models.ManyToManyField(
        Group, through=Membership, through_fields=("collection", "group"), verbose_name=_("groups")
    )
    users = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through=Membership, through_fields=("collection", "user"), verbose_name=_("people")
    )
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("collection")
        verbose_name_plural = _("collections")

    def __str__(self) -> str:
        return self.name

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the collection and its documents, while no worker may add to them."""
        with transaction.atomic():
            lock_for_deletion(Document.objects.filter(collection=self))
            return super().delete(*args, **kwargs)


def originals() -> Storage:
    return storages["originals"]


def _stored_as(_document: Document, _name: str) -> str:
    return "upload"  # the storage names files by their content, never by what the uploader called them


class Tag(models.Model):
    """A word that people put on documents, to find them together."""

    name = models.CharField(_("name"), max_length=60, unique=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("tag")
        verbose_name_plural = _("tags")

    def __str__(self) -> str:
        return self.name


UNFETCHED = ~Q(url="") & Q(file="", text="")  # has an address, and no content yet
MANY = 20  # documents at once that wait behind what is handed in singly


class DocumentQuerySet(models.QuerySet["Document"]):
    """Bulk paths do what `Document.save()` does: queue the work, and tell the indexes of moves."""

    def bulk_create(self, objs: Iterable[Document], *args: Any, **kwargs: Any) -> list[Document]:
        documents = list(objs)
        for document in documents:
            document.take_in_source()
            document.state = State.QUEUED
        with transaction.atomic(using=self.db):
            created = super().bulk_create(documents, *args, **kwargs)
            for kind in (Job.Kind.FETCH, Job.Kind.INGEST):
                Job.queue(kind, [document.pk for document in created if document.work == kind], bulk=True)
        return created

    def queue_work(self) -> int:
        """Queue what makes these documents findable: reading them, or fetching those that have only an address."""
        return self._queue(UNFETCHED)

    def try_again(self) -> int:
        """Queue once more what was last to be done with these documents, whatever came of it; returns how many."""
        latest = Job.objects.filter(document=OuterRef("pk")).order_by("-pk").values("kind")[:1]
        was_fetching = Q(pk__in=self.model.objects.annotate(latest=Subquery(latest)).filter(latest=Job.Kind.FETCH))
        return self._queue(UNFETCHED | was_fetching)

    def _queue(self, to_fetch: Q) -> int:
        """Queue these documents, fetching those of the condition; returns how many."""
        ids = list(self.order_by("pk").values_list("pk", flat=True).distinct())
        bulk = len(ids) > MANY
        with transaction.atomic(using=self.db):
            for first in range(0, len(ids), 500):
                some = self.model.objects.filter(pk__in=ids[first : first + 500])
                some.update(state=State.QUEUED, problem=None)
                fetched = set(some.filter(to_fetch).values_list("pk", flat=True))
                Job.queue(Job.Kind.FETCH, sorted(fetched), bulk=bulk)
                Job.queue(Job.Kind.INGEST, [pk for pk in ids[first : first + 500] if pk not in fetched], bulk=bulk)
        return len(ids)

    def update(self, **values: Any) -> int:
        if not values.keys() & {"collection", "collection_id", "title", "text", "file"}:
            return super().update(**values)
        with transaction.atomic(using=self.db):
            ids = list(self.values_list("pk", flat=True))
            if values.keys() & {"collection", "collection_id"}:
                changes.record(ids)
            rows = super().update(**values)
            if values.keys() & {"text", "file"}:
                for document in self.model.objects.filter(pk__in=ids):
                    document.save()  # finds the new content hash, and queues
            elif "title" in values:
                self.model.objects.filter(pk__in=ids).queue_work()
        return rows

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic(using=self.db):
            lock_for_deletion(self)
            return super().delete()


def lock_for_deletion(documents: DocumentQuerySet) -> None:
    """Lock the change counter and then these rows, as everybody does who changes what is findable, and record that
    they go. What belongs to them is collected after that, so a worker cannot store a passage that nobody deletes."""
    changes.lock()
    if ids := list(documents.order_by("pk").select_for_update().values_list("pk", flat=True)):
        changes.record(ids)


class Document(models.Model):
    """One document: an uploaded file, or a text that was typed in. Saving it queues all that makes it findable."""

    collection = models.ForeignKey(Collection, models.CASCADE, verbose_name=_("collection"))
    title = models.CharField(
        _("title"), max_length=300, blank=True, help_text=_("Left empty, it is taken from the document.")
    )
    file = models.FileField(_("file"), storage=originals, upload_to=_stored_as, max_length=200, blank=True)
    name = models.CharField(_("file name"), max_length=255, blank=True)
    size = models.BigIntegerField(_("size in bytes"), default=0)
    text = models.TextField(
        _("text"),
        blank=True,
        validators=[MaxLengthValidator(settings.SEARCHSITE_MAX_CHARACTERS)],
        help_text=_("Instead of a file: text, in Markdown if you like."),
    )
    source = models.CharField(
        _("source"),
        max_length=500,
        blank=True,
        help_text=_("Where an import found it; unique in its collection."),
    )
    url = models.CharField(
        _("address"), max_length=2000, blank=True, editable=False, help_text=_("Where it was fetched from.")
    )
    tags = models.ManyToManyField(Tag, blank=True, related_name="documents", verbose_name=_("tags"))
    content_hash = models.CharField(_("SHA-256"), max_length=64, blank=True, editable=False, db_index=True)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.QUEUED, editable=False, db_index=True
    )
    problem = models.JSONField(_("problem"), null=True, editable=False)
    live_revision = models.OneToOneField(
        "Revision", models.SET_NULL, null=True, editable=False, related_name="live_for"
    )
    # Of the live revision, which has its passages before it goes live and keeps them: counting them takes seconds where
    # there are a million.
    passage_count = models.PositiveIntegerField(_("passages"), default=0, editable=False)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        verbose_name=_("added by"),
    )
    created = models.DateTimeField(_("added"), auto_now_add=True)
    updated = models.DateTimeField(_("changed"), auto_now=True)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        ordering = ["-updated", "-pk"]
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        constraints = [
            models.UniqueConstraint(
                fields=["collection", "source"], condition=~Q(source=""), name="one_document_a_source"
            )
        ]
        # What pages count and sort by is read from an index alone, as the rows hold whole texts: what waits in some
        # collections, what can be found in them and since when, the latest of one collection and of all.
        indexes = [
            models.Index(fields=["collection", "state"], name="state_in_collection"),
            models.Index(
                fields=["collection", "updated", "live_revision", "passage_count"], name="facts_in_collection"
            ),
            models.Index(fields=["-updated", "-id"], name="latest_documents"),
        ]

    def __str__(self) -> str:
        return self.shown_title

    def save(self, **options: Any) -> None:
        """Save, and in the same transaction queue whatever the change asks for.

        New content or a new title (it is part of what is encoded) means new passages and vectors; a move to another
        collection only tells the indexes; anything else costs nothing.
        """
        self.take_in_source()
        with transaction.atomic():
            before = Document.objects.filter(pk=self.pk).values("content_hash", "title", "collection_id").first()
            now = (self.content_hash, self.title)
            changed = before is None or (before["content_hash"], before["title"]) != now
            if changed:
                self.state, self.problem = State.QUEUED, None
            if before and before["collection_id"] != self.collection_id:
                changes.record([self.pk])  # before the row is written: everybody locks in this order
            if before:
                options["update_fields"] = self._columns_to_save(options.get("update_fields"), changed)
            super().save(**options)
            if changed:
                Job.queue(self.work, [self.pk])

    def get_absolute_url(self) -> str:
        return reverse("document", args=[self.pk])

    @property
    def work(self) -> Job.Kind:
        """What makes it findable: being read, or first fetched (as UNFETCHED says of rows)."""
        return Job.Kind.FETCH if self.url and not self.file and not self.text else Job.Kind.INGEST

    def _columns_to_save(self, asked: Iterable[str] | None, changed: bool) -> set[str]:
        """The columns that are this object's to write: what workers write meanwhile is not put back to what it was
        when the object was read."""
        workers = {"live_revision", "passage_count", "state", "problem"}
        columns = {field.name for field in self._meta.concrete_fields if not field.primary_key} - workers
        if asked is not None:
            columns = set(asked) - ({"live_revision"} if changed else set())
        if changed:
            columns |= {"name", "size", "content_hash", "state", "problem", "updated"}
        return columns

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the document with all that belongs to it, while no worker may add to it."""
        with transaction.atomic():
            lock_for_deletion(Document.objects.filter(pk=self.pk))
            return super().delete(*args, **kwargs)

    @property
    def shown_title(self) -> str:
        """What people see: the given title, else the one found in the text, else the file's name."""
        found = self.live_revision.title if self.live_revision else ""
        return self.title or found or self.name or self.url or f"#{self.pk}"

    def twins(self) -> DocumentQuerySet:
        """The other documents with exactly the same content, in whatever collection: filter them by who asks."""
        same = Document.objects.filter(content_hash=self.content_hash, size__gt=0).exclude(pk=self.pk).order_by("pk")
        unneeded = ("text", "headings", "preformatted", "pages")
        return same.select_related("collection", "live_revision").defer(*(f"live_revision__{one}" for one in unneeded))

    @property
    def reason(self) -> str:
        """Why it failed, as a sentence in the reader's language; empty when it did not."""
        return sentence(self.problem["code"], self.problem["params"]) if self.problem else ""

    def take_in_source(self) -> None:
        """Store a new upload under its content hash, and note name, size and hash of what the document is made of."""
        if self.file and not self.file._committed:  # type: ignore[attr-defined]
            from searchsite.documents.extract import safe_name

            if self._state.adding:
                self.name = self.name or safe_name(self.file.name or "")
            elif self.file.name:  # another file in place of the one before
                self.name = safe_name(self.file.name)
            self.size = self.file.size
            self.file.save("upload", self.file.file, save=False)
        if self.file:
            self.content_hash = (self.file.name or "").rsplit("/", 1)[-1]
        else:
            encoded = self.text.encode("utf-8", "surrogatepass")
            self.size, self.content_hash = len(encoded), hashlib.sha256(encoded).hexdigest()

    def try_again(self) -> None:
        """Queue the work once more, whatever came of it before."""
        Document.objects.filter(pk=self.pk).try_again()
