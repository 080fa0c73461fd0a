"""What can be found: vectors (the truth), and builds of the index made from them (caches that can be made again)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from searchsite.documents.models import Passage


class Vector(models.Model):
    """One passage as one encoder sees it: `dim` little-endian float16 numbers.

    float16 halves the bytes and moves no cosine by more than 1e-3 of a percent; readers renormalise (vectors.py).
    """

    passage = models.ForeignKey(Passage, models.CASCADE, related_name="vectors")
    fingerprint = models.CharField(max_length=64)
    text_hash = models.CharField(max_length=32)
    data = models.BinaryField()

    class Meta:
        verbose_name = _("vector")
        verbose_name_plural = _("vectors")
        constraints = [models.UniqueConstraint(fields=["passage", "fingerprint"], name="one_vector_an_encoder")]
        # The encoder last: it is that of nearly all rows, which a database without statistics does not know. Asked for
        # the vectors of some documents, it would begin with all vectors of the encoder.
        indexes = [models.Index(fields=["text_hash", "fingerprint"], name="vector_of_text")]

    def __str__(self) -> str:
        return f"{self.passage_id} ({self.fingerprint[:8]})"


class TokenCodes(models.Model):
    """The codes of the tokens of a passage that has a vector: tokens.py. In a table of their own, since they are ten
    times as long as the vector, and all vectors are read to build an index."""

    vector = models.OneToOneField(Vector, models.CASCADE, primary_key=True, related_name="codes")
    data = models.BinaryField()

    class Meta:
        verbose_name = _("codes of tokens")
        verbose_name_plural = _("codes of tokens")

    def __str__(self) -> str:
        return str(self.vector_id)


class Build(models.Model):
    """One immutable index on disk, holding all that was findable at a change number."""

    class State(models.TextChoices):
        BUILDING = "building", _("being built")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.BUILDING)
    folder = models.CharField(_("folder"), max_length=100, blank=True)
    fingerprint = models.CharField(_("encoder's fingerprint"), max_length=64)
    encoder = models.CharField(_("encoder"), max_length=200)
    dim = models.PositiveIntegerField(_("dimensions"))
    passages = models.PositiveIntegerField(_("passages"), default=0)
    kind = models.CharField(_("kind"), max_length=40, blank=True, default="")
    recall = models.FloatField(
        _("recall"),
        null=True,
        help_text=_("Share of the ten nearest passages that a search finds, measured when it was built; empty: all."),
    )
    size = models.BigIntegerField(_("size in bytes"), default=0)
    change_number = models.BigIntegerField(_("change number"), default=0)
    unrelated_cosine = models.FloatField(
        _("cosine of unrelated passages"),
        default=0.0,
        help_text=_("What 'no likeness' looks like: the mean over questions on other subjects."),
    )
    created = models.DateTimeField(_("started"), auto_now_add=True)
    finished = models.DateTimeField(_("finished"), null=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("index build")
        verbose_name_plural = _("index builds")

    def __str__(self) -> str:
        return f"#{self.pk}"


class ActiveBuild(models.Model):
    """One row: the build and the lexical index that serve. Changing it makes others serve, in every process at once."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    build = models.ForeignKey(Build, models.PROTECT, null=True)
    lexical = models.CharField(max_length=100, blank=True, default="")  # its folder's name
    # No commit of the lexical index has a higher change number. It is raised before the commit: an index that has come
    # further has been told of changes that this database does not know, as it was put back to an earlier state.
    lexical_number = models.BigIntegerField(default=0)
    changes_deleted = models.BigIntegerField(default=0)  # the log has only the changes above this number

    def __str__(self) -> str:
        return str(self.build)
