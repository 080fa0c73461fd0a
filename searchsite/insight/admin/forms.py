"""What is asked in the encoder lab."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from searchsite.documents.access import visible_collections
from searchsite.documents.models import Collection
from searchsite.index import backends
from searchsite.insight.models import Comparison

LONGEST_TEXT = 2_000  # characters
HOWS = {
    "checkpoint": _("the checkpoint (from_pretrained)"),
    "config": _("the configuration alone: random weights"),
    "state-dict": _("configuration and state dict (load_state_dict)"),
}
GROUPS = RegexValidator(r"\A[a-z0-9 ,，、]*\Z", _("Write names and numbers, with spaces or commas between them."))


def encoders() -> list[tuple[str, str]]:
    """Choices: the encoder in use, and the others whose files are here."""
    in_use = settings.SEARCHSITE_ENCODER
    others = [(name, name) for name in backends.at_hand() if name != in_use]
    return [(in_use, str(_("%(name)s (in use)") % {"name": in_use})), *others]


class LookForm(forms.Form):
    """A look into an encoder. `found` says what is asked; fields that an address leaves out have their defaults."""

    encoder = forms.ChoiceField(label=_("Encoder"), choices=encoders)
    text = forms.CharField(
        label=_("Text"),
        initial=_("The meaning of a sentence is more than its words."),
        max_length=LONGEST_TEXT,
        widget=forms.Textarea({"rows": 2}),
    )
    how = forms.ChoiceField(label=_("Made from"), choices=HOWS.items(), initial="checkpoint")
    frozen = forms.CharField(
        label=_("Frozen"),
        required=False,
        max_length=200,
        validators=[GROUPS],
        help_text=_(
            "What must not be trained: “all”, or of “embeddings”, “pooler”, “head” and the layers' numbers any, such "
            "as: embeddings 0 1. It is only to be looked at; nothing is trained or saved here."
        ),
    )

    def clean_frozen(self) -> list[str]:
        return re.findall(r"[a-z0-9]+", self.cleaned_data["frozen"])


def look_form(asked: dict[str, Any]) -> LookForm:
    """The form as an address fills it, or, where that names no encoder, an empty one."""
    if "encoder" not in asked:
        return LookForm()
    defaults = {name: field.initial for name, field in LookForm.base_fields.items() if field.initial is not None}
    return LookForm(defaults | asked)


class CompareForm(forms.Form):
    """What is to be compared: only collections that this user may read can be chosen."""

    encoder = forms.ChoiceField(label=_("Encoder"), choices=encoders)
    collection = forms.ModelChoiceField(Collection.objects.none(), label=_("Collection"), empty_label=None)
    source = forms.ChoiceField(
        label=_("What is asked"),
        choices=[(one.value, one.label) for one in (Comparison.Source.TITLES, Comparison.Source.SENTENCES)],
    )

    def __init__(self, user: User | AnonymousUser, data: Any = None) -> None:
        super().__init__(data)
        collections = self.fields["collection"]
        assert isinstance(collections, forms.ModelChoiceField)
        collections.queryset = visible_collections(user).order_by("name")
