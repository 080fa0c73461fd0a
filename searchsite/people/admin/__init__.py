"""People in Django's admin: accounts and groups, and the audit log."""

from searchsite.people.admin import accounts, hidden, log

__all__ = ["accounts", "hidden", "log"]
