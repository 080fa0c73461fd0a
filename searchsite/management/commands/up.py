"""`manage.py up`, for `manage.py help`, and for who gives it Django's own options. manage.py knows a shorter way."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from searchsite import up


class Command(BaseCommand):
    help = "Run the web server and the worker, restart what dies, end both on Ctrl-C."
    requires_system_checks = ()  # the worker does them, while the web server starts

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            up.up()
        except up.CannotStart as error:
            raise CommandError(str(error)) from error
