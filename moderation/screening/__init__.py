"""Pure screening: text and terms in, findings out; no database and no forum."""
