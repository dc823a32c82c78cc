"""Joining, signing in and out, addresses, second factors and passkeys, over HTTP."""
