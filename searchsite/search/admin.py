"""What was measured of the site's own ranking, to be looked at in Django's admin."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from searchsite.search.models import Calibration


@admin.register(Calibration)
class CalibrationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("__str__", "created", "sentences", "found_shown", "threshold", "foreign_threshold")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the worker makes them

    def has_change_permission(self, request: HttpRequest, obj: Calibration | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Calibration | None = None) -> bool:
        return False

    @admin.display(description=_("found"), ordering="found")
    def found_shown(self, calibration: Calibration) -> str:
        return f"{100 * calibration.found:.0f} %"
