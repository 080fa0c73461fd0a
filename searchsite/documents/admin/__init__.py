"""What we hold in Django's admin: collections, documents with their state, tags, uploads, jobs."""

from searchsite.documents.admin import collections, documents, jobs, uploads
from searchsite.documents.shown import state_badge

__all__ = ["collections", "documents", "jobs", "state_badge", "uploads"]
