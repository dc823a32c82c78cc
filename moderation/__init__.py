"""Moderation: rules, reports, cases, decisions, statements of reasons and appeals. It builds on the forum."""
