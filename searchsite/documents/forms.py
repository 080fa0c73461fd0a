"""The forms with which documents are uploaded and, in the admin, changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminFileWidget
from django.core.files.uploadedfile import UploadedFile
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from searchsite.documents.access import User, editable_collections
from searchsite.documents.extract import safe_name
from searchsite.documents.models import Collection, Document
from searchsite.documents.problems import Problem
from searchsite.documents.uploads import check_size, tags_named

MOST_ADDRESSES = 1000


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """A file field whose value is a list of all chosen files; empty ones come through, to get their own sentence."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        return list(data) if isinstance(data, list | tuple) else [data] if data else []


class UploadForm(forms.Form):
    """What is to be uploaded, and where to. `announced`: how many files follow in requests of their own."""

    collection = forms.ModelChoiceField(
        Collection.objects.none(), label=_("Collection"), empty_label=_("Choose a collection")
    )
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=2000,
        help_text=_("Separated by commas; they are put on each document."),
        widget=forms.TextInput(attrs={"list": "known-tags", "autocomplete": "off"}),
    )
    files = ManyFilesField(label=_("Files"), required=False)  # type: ignore[assignment]
    folder = ManyFilesField(label=_("A folder"), required=False, widget=ManyFilesInput(attrs={"webkitdirectory": True}))
    addresses = forms.CharField(
        label=_("Addresses"),
        required=False,
        max_length=200_000,
        help_text=_("Of pages on the web, one a line. The site fetches them."),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    announced = forms.IntegerField(required=False, min_value=0, max_value=1_000_000, widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        """user: may upload to the collections whose documents he may change."""
        super().__init__(*args, **options)
        self.fields["collection"].queryset = editable_collections(user)  # type: ignore[attr-defined]

    def clean_addresses(self) -> list[str]:
        """The lines that are not empty, each once."""
        lines = (line.strip() for line in self.cleaned_data["addresses"].splitlines())
        found = list(dict.fromkeys(filter(None, lines)))
        if len(found) > MOST_ADDRESSES:
            raise forms.ValidationError(_("At most %d addresses can be given at once.") % MOST_ADDRESSES)
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not any(cleaned[name] for name in ("files", "folder", "addresses", "announced")):
            raise forms.ValidationError(_("Choose files or a folder, or give an address."))
        return cleaned


@dataclass(frozen=True)
class Original:
    """The file that a document has, as a form shows it: by its name, not by the one it is stored under."""

    document: Document

    @property
    def url(self) -> str:
        return reverse("original", args=[self.document.pk])

    def __str__(self) -> str:
        return self.document.name or self.document.shown_title


class OriginalInput(AdminFileWidget):
    """To choose a file; shows the name of the one that is there."""

    document: Document

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["value"] = Original(self.document)
        return context


class DocumentForm(forms.ModelForm):  # type: ignore[type-arg]
    """A document is a file or a text: exactly one of them, unless it is to be fetched from its address."""

    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=2000,
        help_text=_("Separated by commas."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    class Meta:
        model = Document
        fields: tuple[str, ...] = ("collection", "title", "file", "text")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            if self.instance.file and "file" in self.fields:
                self.fields["file"].widget = widget = OriginalInput()
                widget.document = self.instance
            self.initial["tags"] = ", ".join(tag.name for tag in self.instance.tags.all())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file, text = cleaned.get("file"), (cleaned.get("text") or "").strip()
        if file and text:
            raise forms.ValidationError(_("Give a file or a text, not both."))
        if not file and not text and not self.instance.url:
            either = _("Choose a file, or type a text.") if "file" in self.fields else _("Type a text.")
            raise forms.ValidationError(either)
        if isinstance(file, UploadedFile):
            self._check_file(file)
        if len(text.encode("utf-8", "surrogatepass")) > settings.SEARCHSITE_MAX_FILE_MB * 1024 * 1024:
            self.add_error("text", _("The text is over the limit of %d MB.") % settings.SEARCHSITE_MAX_FILE_MB)
        return cleaned

    def clean_collection(self) -> Collection:
        collection: Collection = self.cleaned_data["collection"]
        twins = Document.objects.filter(collection=collection, source=self.instance.source).exclude(pk=self.instance.pk)
        if self.instance.source and twins.exists():
            raise forms.ValidationError(_("That collection already has a document from the same source."))
        return collection

    def _check_file(self, file: UploadedFile[Any]) -> None:
        try:
            safe_name(file.name or "")
            check_size(file.name or "", file.size or 0)
        except Problem as problem:
            self.add_error("file", str(problem))

    def _save_m2m(self) -> None:
        self.instance.tags.set(tags_named(self.cleaned_data["tags"]))  # made only now that all of the form is right
