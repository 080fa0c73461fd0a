"""Single sign-on with OpenID Connect: who somebody is, told by the organisation's own provider.

configuration -> views -> protocol (what the provider says, verified) -> claims (made harmless) -> accounts.
"""
