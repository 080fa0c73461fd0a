"""manage.py encoder prepare | describe: the encoder that the settings name."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from encoder import Description, EncoderError, describe


class Command(BaseCommand):
    help = "Make the encoder that the settings name ready for use (prepare), or say what it is (describe)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["prepare", "describe"])

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            description = describe(
                settings.SEARCHSITE_ENCODER,
                settings.SEARCHSITE_MODELS_DIR,
                settings.SEARCHSITE_POOLING,
                progress=lambda done, total, text: self.stdout.write(f"[{done}/{total}] {text}"),
            )
        except EncoderError as error:
            raise CommandError(str(error)) from error
        if action == "prepare":
            self.stdout.write(
                self.style.SUCCESS(
                    f"{description.name} is ready" + (f" in {description.folder}" if description.folder else "")
                )
            )
        else:
            self.stdout.write(_table(description))


def _table(description: Description) -> str:
    rows = {**vars(description), "fingerprint": description.fingerprint}
    return "\n".join(
        f"{name:16}{value!r}" if isinstance(value, str) else f"{name:16}{value}" for name, value in rows.items()
    )
