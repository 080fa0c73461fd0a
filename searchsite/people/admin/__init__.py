"""People in Django's admin: accounts and groups."""

from searchsite.people.admin import accounts

__all__ = ["accounts"]
