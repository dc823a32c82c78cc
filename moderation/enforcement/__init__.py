"""Measures: what a decision does to a post, a thread or a member, and how each is undone."""

from moderation.enforcement.measures import (
    IDLE,
    MEASURES,
    Measure,
    apply,
    ended_later,
    forget_byline,
    refuse_nonsense,
    something_stands,
    undo,
)
from moderation.enforcement.tables import SOMEBODY, TEXTUAL, AppliedMeasure, Kind, Scene, Target, Wanted

__all__ = [
    "IDLE",
    "MEASURES",
    "SOMEBODY",
    "TEXTUAL",
    "AppliedMeasure",
    "Kind",
    "Measure",
    "Scene",
    "Target",
    "Wanted",
    "apply",
    "ended_later",
    "forget_byline",
    "refuse_nonsense",
    "something_stands",
    "undo",
]
