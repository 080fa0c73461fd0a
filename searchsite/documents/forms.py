"""Forms of the documents' admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from searchsite.documents.extract import safe_name
from searchsite.documents.models import Collection, Document
from searchsite.documents.problems import Problem
from searchsite.documents.uploads import check_size


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """A file field whose value is a list of all chosen files; empty ones come through, to get their own sentence."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        files = data if isinstance(data, list | tuple) else [data] if data else []
        if self.required and not files:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return list(files)


class UploadForm(forms.Form):
    collection = forms.ModelChoiceField(
        Collection.objects.all(), label=_("Collection"), empty_label=_("Choose a collection")
    )
    files = ManyFilesField(label=_("Files"))  # type: ignore[assignment]


class DocumentForm(forms.ModelForm):  # type: ignore[type-arg]
    """A document is a file or a text: exactly one of them."""

    class Meta:
        model = Document
        fields = ("collection", "title", "file", "text")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file, text = cleaned.get("file"), (cleaned.get("text") or "").strip()
        if file and text:
            raise forms.ValidationError(_("Give a file or a text, not both."))
        if not file and not text:
            raise forms.ValidationError(_("Choose a file, or type a text."))
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
