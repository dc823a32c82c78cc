"""What `forum import look` says of an old board before anything is moved."""

from forum.importers.report.facts import count_facts
from forum.importers.report.page import as_html
from forum.importers.report.proving import begin_proving, prove
from forum.importers.report.sentences import LookReport, write_report

__all__ = ["LookReport", "as_html", "begin_proving", "count_facts", "prove", "write_report"]
