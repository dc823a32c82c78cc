"""The report as one file of HTML, which needs nothing else and asks nobody for anything."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from forum.importers.report.sentences import LookReport

_pages = Environment(
    loader=PackageLoader("forum.importers.report", "."),
    autoescape=True,
    trim_blocks=True,
    undefined=StrictUndefined,
)


def as_html(report: LookReport) -> str:
    """Return the report as a page."""
    return _pages.get_template("report.html").render(report=report)
