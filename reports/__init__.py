"""Reports: pure renderers over the evidence of conformance and benchmark runs."""

from reports.errors import ReportUnwritable, RunUnreadable
from reports.write import Format, write_all

__all__ = ["Format", "ReportUnwritable", "RunUnreadable", "write_all"]
