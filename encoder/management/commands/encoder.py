"""manage.py encoder prepare | describe | inspect | compare-pooling: the encoder that the settings name, or any."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from encoder import Description, EncoderError, describe
from encoder.inspection import PACKAGED, SAMPLE, inspect
from encoder.report import HOWS
from encoder.report_text import as_text


class Command(BaseCommand):
    help = (
        "Make the encoder that the settings name ready for use (prepare), say what it is (describe), or look into it "
        "or another: architecture, parameters, tokens, outputs, pooling, modes (inspect). Compare its poolings on "
        "sets of queries, or on a collection (compare-pooling)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["prepare", "describe", "inspect", "compare-pooling"])
        look = parser.add_argument_group("inspect")
        look.add_argument("source", nargs="*", metavar="PATH|NAME", help="default: the encoder that the settings name")
        look.add_argument("--text", default=SAMPLE, help="what is put to the encoder")
        look.add_argument(
            "--how",
            choices=HOWS,
            default="checkpoint",
            help="weights by from_pretrained (default), at random from the configuration alone, or by load_state_dict",
        )
        look.add_argument("--train", action="store_true", help="show the outputs in training mode")
        look.add_argument(
            "--freeze",
            nargs="+",
            default=[],
            metavar="GROUP",
            help="layers by their numbers, embeddings, pooler, head, or all",
        )
        look.add_argument("--json", action="store_true", help="the report as JSON")
        compare = parser.add_argument_group("compare-pooling, of PATHs in BEIR layout, or of a collection")
        compare.add_argument("--collection", default="", metavar="SLUG", help="by its short name")
        compare.add_argument("--encoder", default="", metavar="NAME", help="default: the one that the settings name")
        compare.add_argument("--queries", type=int, metavar="N", help="ask at most N of each set; 0: all")

    def handle(self, *args: Any, action: str, source: Sequence[str] = (), **options: Any) -> None:
        if action == "compare-pooling":
            self._compare(source, **options)
            return
        if source and action != "inspect":
            raise CommandError(f"{action} takes no name: it is about the encoder that the settings name.")
        if len(source) > 1:
            raise CommandError("One encoder at a time can be looked into.")
        try:
            if action == "inspect":
                self.stdout.write(_look(source[0] if source else settings.SEARCHSITE_ENCODER, **options))
            else:
                self._about_settings(action)
        except EncoderError as error:
            raise CommandError(str(error)) from error

    def _compare(self, paths: Sequence[str], **options: Any) -> None:
        # Where documents and queries come from is the site's, which this package does not know: by the command's name.
        asked = {name: options[name] for name in ("collection", "encoder", "queries") if options[name] is not None}
        call_command(
            "compare_pooling", *paths, as_json=options["json"], stdout=self.stdout, stderr=self.stderr, **asked
        )

    def _about_settings(self, action: str) -> None:
        description = describe(
            settings.SEARCHSITE_ENCODER,
            settings.SEARCHSITE_MODELS_DIR,
            settings.SEARCHSITE_POOLING,
            progress=lambda done, total, text: self.stdout.write(f"[{done}/{total}] {text}"),
        )
        if action == "prepare":
            self.stdout.write(
                self.style.SUCCESS(
                    f"{description.name} is ready" + (f" in {description.folder}" if description.folder else "")
                )
            )
        else:
            self.stdout.write(_table(description))


def _look(given: str, **options: Any) -> str:
    models_dir = Path(settings.SEARCHSITE_MODELS_DIR)
    report = inspect(
        _source(given, models_dir), models_dir, options["text"], options["how"], options["freeze"], options["train"]
    )
    return json.dumps(asdict(report), ensure_ascii=False, indent=1) if options["json"] else as_text(report)


def _source(given: str, models_dir: Path) -> str | Path:
    """A path where it is one; a name that the settings could have comes first."""
    path = Path(given).expanduser()
    is_name = given in (*PACKAGED, "tiny") or (models_dir / given).is_dir()
    return path if path.is_absolute() or (path.is_dir() and not is_name) else given


def _table(description: Description) -> str:
    rows = {**vars(description), "fingerprint": description.fingerprint}
    return "\n".join(
        f"{name:16}{value!r}" if isinstance(value, str) else f"{name:16}{value}" for name, value in rows.items()
    )
