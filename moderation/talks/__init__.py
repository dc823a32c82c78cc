"""Talks: moderators write to the member whom a case is about, or to who reported, and they answer there."""
