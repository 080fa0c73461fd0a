"""A self-hosted site that finds passages by meaning."""
