"""Names of the backbones, and where each is: known without loading torch or any model.

A new backbone is a file ``frhead_core/models/<name>.py`` and a line in :data:`BACKBONES`.
"""

from __future__ import annotations

from typing import NamedTuple


class BackboneEntry(NamedTuple):
    """What can be known of a backbone before it is loaded.

    ``class_name``: its class in the module of its name. ``fewest_bodies``: of a training batch,
    N*M; with fewer there is nothing to normalise over.
    """

    class_name: str
    fewest_bodies: int = 1


BACKBONES = {
    "aagcn": BackboneEntry("AAGCN"),
    "ctrgcn": BackboneEntry("CTRGCN"),
    "stgcn": BackboneEntry("STGCN"),
    "tcagcn": BackboneEntry("TCAGCN", fewest_bodies=2),
}
