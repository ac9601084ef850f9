"""The page: one HTML file that holds its style, script and charts, and asks the network for nothing."""

from reports.html.page import render_page

__all__ = ["render_page"]
