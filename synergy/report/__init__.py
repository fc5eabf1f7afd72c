"""The report of a workspace: one HTML file that needs no network, no server and no `synergy`.

Numbers first: `summarise` says everything that a page shows as JSON values, from the files of the
workspace alone. `render` makes the page of them, with drawings from `graphics` and the style
sheet, script and text in ``templates``. The same workspace gives the same bytes.
"""

from synergy.report.html import render
from synergy.report.summarise import summarise
from synergy.report.writing import Report, write_report

__all__ = ["Report", "render", "summarise", "write_report"]
