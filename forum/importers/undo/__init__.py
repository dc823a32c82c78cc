"""Take an import back, as long as nobody did anything with what it brought.

`going` says which rows go, `deeds` what people did since, and `taking_back` deletes, in batches.
"""
