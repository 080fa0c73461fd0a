"""System checks of the settings that choose an encoder."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.translation import gettext as _

from encoder.description import POOLINGS


def check_pooling(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """E001: SEARCHSITE_POOLING is no pooling. W001: it is the one that BERT's documentation warns of."""
    pooling = getattr(settings, "SEARCHSITE_POOLING", "")
    if pooling and pooling not in POOLINGS:
        return [
            checks.Error(
                _("SEARCHSITE_POOLING is %(found)r, which is no way of pooling.") % {"found": pooling},
                hint=_("Set it to one of %(known)s.") % {"known": ", ".join(POOLINGS)},
                id="encoder.E001",
            )
        ]
    if pooling == "tanh":
        return [
            checks.Warning(
                _(
                    "SEARCHSITE_POOLING is 'tanh': each text becomes a linear layer and a tanh on its first token. "
                    "That layer was trained for next-sentence prediction, and BERT's own documentation says that "
                    "its output is usually not a good summary of the meaning of a text; averaging the sequence of "
                    "hidden states over the whole text is better."
                ),
                hint=_(
                    "Set SEARCHSITE_POOLING to 'mean' and encode the documents again. docs/pooling.md says why; "
                    "the encoder lab in the admin, or manage.py encoder compare-pooling, compares them on your own "
                    "documents."
                ),
                id="encoder.W001",
            )
        ]
    return []


def check_reranker(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """E002: SEARCHSITE_RERANKER is no way of reranking, and no folder with a checkpoint either."""
    reranker = getattr(settings, "SEARCHSITE_RERANKER", "none")
    if reranker in ("tokens", "none") or (Path(settings.SEARCHSITE_MODELS_DIR) / reranker / "config.json").is_file():
        return []
    return [
        checks.Error(
            _("SEARCHSITE_RERANKER is %(found)r, but no folder of that name holds a checkpoint.") % {"found": reranker},
            hint=_("Set it to 'tokens', to 'none', or to a folder with a cross-encoder."),
            id="encoder.E002",
        )
    ]
