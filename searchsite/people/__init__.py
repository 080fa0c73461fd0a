"""Who is who, and who did what: accounts, signing in, the audit log. Knows nothing of documents."""
