"""The second factor over HTTP: codes, and passkeys, which can stand alone too."""
