"""What the site has learned about its own ranking."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Calibration(models.Model):
    """How far above the background of a question a passage must score to be taken for an answer: confidence.py.

    Measured with `sentences` of the site's own documents; `kept_out` of them found nothing once their own document
    was left out, and `found` were found while it was there (shares, 0 to 1).
    """

    fingerprint = models.CharField(_("encoder's fingerprint"), max_length=64)
    tokens = models.BooleanField(_("with a look at the tokens"))
    change_number = models.BigIntegerField(_("change number"))
    threshold = models.FloatField(_("threshold"))
    foreign_threshold = models.FloatField(_("threshold across languages"))
    sentences = models.PositiveIntegerField(_("sentences asked"))
    found = models.FloatField(_("share found"))
    kept_out = models.FloatField(_("share kept out"))
    created = models.DateTimeField(_("measured"), auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("calibration")
        verbose_name_plural = _("calibrations")

    def __str__(self) -> str:
        return f"#{self.pk}"
