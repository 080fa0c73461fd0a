"""Who may see what: every route and parameter, asked by everybody, against a plain definition. See test_oracle.py."""
