"""The encoder lab in Django's admin: a look into an encoder, and poolings compared on one's own documents."""

from searchsite.insight.admin import comparisons

__all__ = ["comparisons"]
