"""`manage.py prepare`: all between a fresh clone and a site that can be started. Doing it again costs nothing."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand

from searchsite import environment


class Command(BaseCommand):
    help = "Make the encoder ready, migrate the database, collect static files, create an administrator."

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write("Encoder:")
        call_command("encoder", "prepare", stdout=self.stdout)
        self.stdout.write("Database:")
        call_command("migrate", interactive=False, verbosity=0, stdout=self.stdout)
        self.stdout.write(f"  {settings.DATABASES['default']['ENGINE'].rsplit('.', 1)[-1]}, migrated")
        if not settings.DEBUG:
            call_command("collectstatic", interactive=False, verbosity=0, stdout=self.stdout)
        self._administrator()

    def _administrator(self) -> None:
        """Create the first administrator, unless there is one. A password that we made is printed once, never kept."""
        users = get_user_model()
        if users.objects.filter(is_superuser=True).exists():
            return
        name = environment.text("SEARCHSITE_ADMIN_USERNAME", "admin")
        given = environment.text("SEARCHSITE_ADMIN_PASSWORD")
        password = given or secrets.token_urlsafe(12)
        users.objects.create_superuser(name, environment.text("SEARCHSITE_ADMIN_EMAIL"), password)
        shown = "with the password from SEARCHSITE_ADMIN_PASSWORD" if given else f"with the password {password}"
        self.stdout.write(self.style.SUCCESS(f"Administrator: '{name}' {shown}"))
        if not given:
            self.stdout.write("  It is shown this once. `manage.py changepassword` sets another.")
