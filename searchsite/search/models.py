"""What the site has learned about its own ranking."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Calibration(models.Model):
    """How far above the background of a question a passage must score to be taken for an answer: confidence.py.

    Measured with `sentences` of the site's own documents, of which the part `found` (0 to 1) was found by the
    thresholds while their own document was there.
    """

    fingerprint = models.CharField(_("encoder's fingerprint"), max_length=64)
    tokens = models.BooleanField(_("with a look at the tokens"))
    change_number = models.BigIntegerField(_("change number"))
    threshold = models.FloatField(_("threshold"))
    foreign_threshold = models.FloatField(_("threshold across languages"))
    sentences = models.PositiveIntegerField(_("sentences asked"))
    found = models.FloatField(_("share found"))
    created = models.DateTimeField(_("measured"), auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("calibration")
        verbose_name_plural = _("calibrations")

    def __str__(self) -> str:
        return f"#{self.pk}"
