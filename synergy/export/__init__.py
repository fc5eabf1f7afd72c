"""The exported model: a folder that works without this package.

``EXPORTERS`` maps the name of a format to the function that writes it; all take what
`torch_model.export_model` takes. ``spec`` is what the folder tells and what a caller hands over,
``source`` turns modules into code, ``folder`` makes sure that a folder is complete or absent.
"""

from __future__ import annotations

from synergy.export.spec import About
from synergy.export.torch_model import export_model

EXPORTERS = {"torch": export_model}

__all__ = ["EXPORTERS", "About"]
