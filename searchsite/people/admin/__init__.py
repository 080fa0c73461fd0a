"""People in Django's admin: accounts and groups."""

from searchsite.people.admin import accounts, hidden

__all__ = ["accounts", "hidden"]
