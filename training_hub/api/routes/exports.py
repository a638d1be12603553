"""`/exports`: insights for dashboards elsewhere."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse

from training_hub.api.access import Parts, Viewer
from training_hub.api.clip_query import WantedClips
from training_hub.api.problems import problems
from training_hub.exports.batches import Export
from training_hub.exports.formats import as_csv, as_parquet
from training_hub.exports.tables import TABLES, clips
from training_hub.parts import HubParts

router = APIRouter(
    prefix="/exports",
    tags=["exports"],
    responses={
        200: {
            "description": "The table, as a stream.",
            "content": {"text/csv": {"schema": {"type": "string"}}, "application/vnd.apache.parquet": {}},
        },
        **problems(),
    },
)

Format = Annotated[Literal["csv", "parquet"], Path(description="CSV is safe to open in a spreadsheet.")]


@router.get("/clips.{format}", summary="Export clips", response_class=StreamingResponse)
def export_clips(parts: Parts, _person: Viewer, wanted: WantedClips, format: Format) -> StreamingResponse:
    """The clips that match, each with its machine; filters are those of the list."""
    return _streamed(parts, clips(wanted), format)


@router.get("/{table}.{format}", summary="Export a table", response_class=StreamingResponse)
def export_table(
    parts: Parts,
    _person: Viewer,
    table: Annotated[Literal["labels", "alarms", "machine-days", "performance"], Path(description="Which table.")],
    format: Format,
) -> StreamingResponse:
    """All rows of a table, each with its machine."""
    return _streamed(parts, TABLES[table](), format)


def _streamed(parts: HubParts, export: Export, kind: str) -> StreamingResponse:
    batches = export.batches(parts.database)
    content = as_csv(export.schema, batches) if kind == "csv" else as_parquet(export.schema, batches)
    media_type = "text/csv; charset=utf-8" if kind == "csv" else "application/vnd.apache.parquet"
    headers = {"Content-Disposition": f'attachment; filename="{export.name}.{kind}"', "Cache-Control": "no-store"}
    return StreamingResponse(content, media_type=media_type, headers=headers)
