"""The forms of the library: collections, their members, and documents as editors change them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.auth.models import User as Account
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from searchsite.documents.access import User, editable_collections
from searchsite.documents.forms import DocumentForm
from searchsite.documents.models import Collection, Membership, Role

LONGEST_SLUG = 60

MEANINGS: dict[Collection.Visibility, Promise] = {
    Collection.Visibility.PUBLIC: _("Everyone who can reach this site can find and read it."),
    Collection.Visibility.SIGNED_IN: _("Everyone who has an account here can find and read it."),
    Collection.Visibility.MEMBERS: _("Only its members can find and read it. For all others it is not there."),
}


def meanings() -> dict[Collection.Visibility, Promise]:
    """By the visibility: what choosing it means, on this site."""
    if settings.SEARCHSITE_REQUIRE_LOGIN:
        return {**MEANINGS, Collection.Visibility.PUBLIC: MEANINGS[Collection.Visibility.SIGNED_IN]}
    return MEANINGS


class CollectionForm(forms.ModelForm):  # type: ignore[type-arg]
    """The settings of a collection that is there."""

    class Meta:
        model = Collection
        fields: tuple[str, ...] = ("name", "description", "visibility")
        widgets = {"description": forms.Textarea(attrs={"rows": 3}), "visibility": forms.RadioSelect}


class NewCollectionForm(CollectionForm):
    """A new collection. Addresses stay as they are, so the short name is given only now."""

    class Meta(CollectionForm.Meta):
        fields: tuple[str, ...] = ("name", "slug", "description", "visibility")
        help_texts = {"slug": _("Latin letters, digits and hyphens. Left empty, it is made from the name.")}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["slug"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("slug") and "slug" not in self.errors:
            cleaned["slug"] = slug_for(cleaned.get("name", ""))
        return cleaned


def slug_for(name: str) -> str:
    """A short name that is still free, made from what is Latin in a name: "Leave & travel" gives "leave-travel"."""
    made = slugify(name)[: LONGEST_SLUG - 6].strip("-_") or "collection"
    taken = set(Collection.objects.filter(slug__startswith=made).values_list("slug", flat=True))
    return next(slug for n in range(1, len(taken) + 2) if (slug := made if n == 1 else f"{made}-{n}") not in taken)


class MemberForm(forms.Form):
    """A person or a group that becomes a member. `found`, once it is valid: the membership, not saved yet."""

    name = forms.CharField(max_length=254, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.READER)
    found: Membership

    def __init__(self, collection: Collection, kind: str, *args: Any, **options: Any) -> None:
        """kind: "person" or "group"."""
        super().__init__(*args, **{**options, "prefix": kind})
        self.collection, self.kind = collection, kind
        self.fields["name"].label = _("Username or e-mail") if kind == "person" else _("Name of the group")
        self.fields["name"].widget.attrs["list"] = f"known-{kind}"

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        membership = Membership(collection=self.collection)
        if self.kind == "person":
            membership.user = _person(name)
        else:
            membership.group = _group(name)
        who = {"user": membership.user, "group": membership.group}
        if Membership.objects.filter(collection=self.collection, **who).exists():
            raise forms.ValidationError(_("“%s” is a member already. Change the role in the list.") % membership)
        self.found = membership
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            self.found.role = cleaned["role"]
        return cleaned


def _person(name: str) -> Account:
    """The one account of that user name or e-mail. Raises ValidationError."""
    # Names can be chosen at a provider: nobody gets in by calling himself by the address of somebody else.
    meant = Q(username=name) | Q(email__iexact=name)
    reached = list(Account.objects.filter(meant, is_active=True)[:2])
    if len(reached) > 1:
        raise forms.ValidationError(_("Several people have the e-mail “%s”. Type the username instead.") % name)
    if not reached:
        sentence = _("Nobody here is called “%s”. Type the whole username or e-mail, as the account has it.")
        raise forms.ValidationError(sentence % name)
    return reached[0]


def _group(name: str) -> Group:
    """The group of that name. Raises ValidationError."""
    if found := Group.objects.filter(name=name).first():
        return found
    sentence = _("There is no group called “%s”. Type its whole name; administrators make groups.")
    raise forms.ValidationError(sentence % name)


class TextForm(DocumentForm):
    """A text that is typed in."""

    class Meta(DocumentForm.Meta):
        fields = ("title", "text")
        widgets = {"text": forms.Textarea(attrs={"rows": 16})}
        help_texts = {"text": _("In Markdown if you like: “# ” begins a heading.")}

    field_order = ("title", "text", "tags")


class EditForm(DocumentForm):
    """A document as editors change it: what it is made of, it stays made of; a file can be replaced by another."""

    class Meta(DocumentForm.Meta):
        widgets = {"text": forms.Textarea(attrs={"rows": 16})}
        help_texts = {"text": _("In Markdown if you like: “# ” begins a heading.")}

    field_order = ("title", "tags", "collection", "file", "text")

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["collection"].queryset = editable_collections(user)  # type: ignore[attr-defined]
        self.fields["collection"].empty_label = None  # type: ignore[attr-defined]
        unneeded = {"text"} if self.instance.file else {"file"}
        if self.instance.url:  # its content is fetched, and would be replaced by what is fetched next
            unneeded = {"text", "file"}
        for name in unneeded:
            del self.fields[name]
        if "file" in self.fields:
            self.fields["file"].widget = forms.FileInput()
            self.fields["file"].label = _("Another file in its place")
