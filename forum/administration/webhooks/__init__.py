"""Webhooks: other services are told what happens here, in ids and links and never in words (Standard Webhooks)."""
