"""What can be removed, as text for people."""

from __future__ import annotations

from pipeline.cleaning.plan import Cleaning
from pipeline.text_tables import columns


def cleaning_text(cleaning: Cleaning) -> str:
    """A row for each thing that can go, their sum, and what is left alone."""
    blocks = []
    if cleaning.items:
        rows = [
            (
                item.kind,
                str(item.path.relative_to(cleaning.work_directory)),
                item.reason,
                size_text(item.size),
            )
            for item in cleaning.items
        ]
        blocks.append(columns([("kind", "name", "why it can go", "size"), *rows]))
    if cleaning.left_alone:
        blocks.append("left alone:\n" + columns(sorted(cleaning.left_alone.items())))
    size = size_text(sum(item.size for item in cleaning.items))
    blocks.append(
        f"total that can go: {len(cleaning.items)}, {size}; runs that stay: {cleaning.staying}"
    )
    return "\n\n".join(blocks)


def size_text(size: int) -> str:
    """Bytes in the unit in which they are a short number."""
    for unit, bytes_of_unit in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= bytes_of_unit:
            return f"{size / bytes_of_unit:.1f} {unit}"
    return f"{size} B"
