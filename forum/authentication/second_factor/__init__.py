"""The second factor: passkeys, codes of an authenticator app, and recovery codes."""
