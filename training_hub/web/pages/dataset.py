"""What the catalogue holds and lacks."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from training_hub.api.access import Parts, Viewer
from training_hub.web.queries.balance import label_counts, machine_balance
from training_hub.web.render import page

router = APIRouter(include_in_schema=False)


@router.get("/dataset")
def dataset(request: Request, parts: Parts, person: Viewer) -> HTMLResponse:
    """Balance by machine, dataset, label and site."""
    with parts.database.transaction(writes=False) as session:
        machines = machine_balance(session)
        totals = {
            word: sum(getattr(row, word) for row in machines)
            for word in ("total", "training", "validation", "new", "external", "normal", "anomalous", "unlabelled")
        }
        sites = {row.site: sum(other.total for other in machines if other.site == row.site) for row in machines}
        return page(
            request,
            "dataset/page.html",
            person,
            machines=machines,
            totals=totals,
            sites=sites,
            labels=label_counts(session),
        )
