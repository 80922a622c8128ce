"""Checks as comma-separated values: one line a match, for spreadsheets."""

from __future__ import annotations

import csv
import io

from melodysim.report.reports import Report
from melodysim.util.plain_text import shown_cell

COLUMNS = (
    "source", "verdict", "firm", "probability", "rank", "reference_id", "title", "creator", "rights",
    "holder", "e_value", "score", "notes", "distinct_notes", "identity", "transposition", "tempo_ratio",
    "track_begin", "track_end", "reference_begin", "reference_end", "evidence", "error",
)  # fmt: skip


def checks_csv(reports: list[Report]) -> str:
    """Write a header and one line a match; a track without matches gets one line of its own.

    Songs that were named and are followed come last, without a rank: their E-values are of one pair.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for report in reports:
        error = None if report.error is None else str(report.error)
        row: dict[str, object] = {"source": shown_cell(report.source), "error": shown_cell(error)}
        if report.verdict is not None:
            row["verdict"] = report.verdict.level
            row["firm"] = report.verdict.firm
            if report.verdict.probability is not None:
                row["probability"] = f"{report.verdict.probability:.4f}"
        matches = [*enumerate(report.matches, 1), *((None, match) for match in report.named_matches)]
        if not matches:
            writer.writerow(row)
        for rank, match in matches:
            writer.writerow(
                row
                | {
                    "rank": rank,
                    "reference_id": match.reference.id,
                    "title": shown_cell(match.reference.title),
                    "creator": shown_cell(match.reference.creator),
                    "rights": match.reference.rights.status,
                    "holder": shown_cell(match.reference.rights.holder),
                    "e_value": f"{match.e_value:.4g}",
                    "score": f"{match.score:.2f}",
                    "notes": match.notes,
                    "distinct_notes": match.distinct,
                    "identity": f"{match.identity:.4f}",
                    "transposition": match.transposition,
                    "tempo_ratio": f"{match.tempo_ratio:.4f}",
                    "track_begin": f"{match.query.seconds[0]:.3f}",
                    "track_end": f"{match.query.seconds[1]:.3f}",
                    "reference_begin": f"{match.reference_span.seconds[0]:.3f}",
                    "reference_end": f"{match.reference_span.seconds[1]:.3f}",
                    "evidence": match.evidence,
                }
            )
    return out.getvalue()
