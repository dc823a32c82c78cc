"""Authenticator apps, recovery codes and passkeys over HTTP."""
