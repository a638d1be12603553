"""Trainings launched, watched and cancelled; bundles compared, with the slider's arithmetic against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from edge_agent.detection.budget import AlarmBudget
from tests.support.browser import needs_chromium
from tests.support.hub_site import HubSite
from training_hub.catalogue.performance import compared
from training_hub.catalogue.tables import AuditEntry, Bundle, Job, Run, RunPoint
from training_hub.evaluation.metrics import auc
from training_hub.web.reports import report_policy

pytestmark = needs_chromium


def test_a_training_is_launched_watched_and_cancelled(site: HubSite) -> None:
    with site.browser("erik") as page:
        page.goto(f"{site.url}/models")
        page.get_by_text("Launch a training").click()
        page.get_by_role("checkbox", name="The encoder").check()
        page.get_by_label("Minutes for the encoder").fill("5")
        page.get_by_role("button", name="Launch").click()
        page.wait_for_url("**/models/runs/*")
        job_id = page.url.rsplit("/", 1)[-1]
        expect(page.locator("#progress")).to_have_attribute("data-state", "queued")
        with site.parts.database.transaction() as session:  # what a worker does
            job = session.get_one(Job, job_id)
            assert job.parameters["what"] == ["encoder", "faults", "types", "weights"]
            assert job.parameters["minutes"] == 5
            job.state, job.progress, job.message = "running", 0.5, "step 200: loss 1.10"
            session.add(
                Run(id=job_id, job_id=job_id, what="encoder+types", base_sha256="b" * 64, created_by="user:erik")
            )
            session.flush()
            session.add(RunPoint(run_id=job_id, name="loss", step=200, value=1.1))
        expect(page.locator("#progress")).to_contain_text("step 200: loss 1.10", timeout=15_000)
        expect(page.locator("#progress")).to_contain_text("50 %")
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#progress")).to_contain_text("asked to end", timeout=15_000)
        with site.parts.database.transaction() as session:
            job = session.get_one(Job, job_id)
            assert job.cancel_asked
            job.state = "cancelled"
        expect(page.locator("#progress")).to_have_attribute("data-state", "cancelled", timeout=15_000)
    with site.parts.database.transaction() as session:
        deeds = session.scalars(select(AuditEntry.action).where(AuditEntry.subject == f"job:{job_id}")).all()
        assert deeds == ["run.launch", "job.cancel"]
        for row in (session.get(RunPoint, (job_id, "loss", 200)), session.get(Run, job_id), session.get(Job, job_id)):
            session.delete(row)
            session.flush()


def test_a_report_is_shown_with_its_styles_and_without_scripts(site: HubSite) -> None:
    html = '<style>p{color:red}</style><p style="margin:0">a</p><script>alert(1)</script>'
    policy = report_policy(html)
    assert policy.startswith("sandbox; default-src 'none'")
    assert policy.count("'sha256-") == 2
    assert "script-src" not in policy
    with site.parts.database.transaction(writes=False) as session:
        run = session.scalars(select(Run.id).where(Run.report_sha256.is_not(None))).first()
    with site.browser("vera") as page:
        answer = page.goto(f"{site.url}/models/runs/{run}/report")
        assert answer
        assert answer.headers["content-security-policy"].startswith("sandbox;")
        expect(page.locator("h1")).to_have_text("Evaluation")


def test_the_sliders_arithmetic_is_numpys(site: HubSite) -> None:
    with site.parts.database.transaction(writes=False) as session:
        new, old = (session.scalars(select(Bundle.sha256).where(Bundle.version == v)).one() for v in ("0.5.0", "0.3.0"))
        pairs = compared(session, new, old)
    with site.browser("vera") as page:
        page.goto(f"{site.url}/compare?bundle={new}&with={old}")
        page.locator("#compare[data-ready]").wait_for()
        for step in (0, 40, -60):
            page.locator("#factor").evaluate(
                "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", step
            )
            for side, measured in (("new", [pair[0] for pair in pairs]), ("old", [pair[1] for pair in pairs])):
                factor = 2.0 ** (-step / 50)
                found = sum(int((one.anomalous_scores >= one.threshold * factor).sum()) for one in measured)
                false = sum(int((one.normal_scores >= one.threshold * factor).sum()) for one in measured)
                anomalies, normals = (sum(len(getattr(one, kind)) for one in measured) for kind in
                                      ("anomalous_scores", "normal_scores"))  # fmt: skip
                cells = page.locator(f"#outcome tr[data-side={side}] td")
                assert [int(cells.nth(at).inner_text()) for at in range(4)] == [
                    found, anomalies - found, false, normals - false,
                ]  # fmt: skip
                rates = [
                    min(
                        (int((one.normal_scores >= one.threshold * factor).sum()) + 1) / (len(one.normal_scores) + 1),
                        0.999,
                    )
                    for one in measured
                ]
                weekly = float(np.mean([AlarmBudget().alarms_per_week(rate, 0.3) for rate in rates]))
                shown = float(str(page.locator(f"#outcome tr[data-side={side}]").get_attribute("data-weekly")))
                assert shown == pytest.approx(weekly, rel=1e-4)
        page.locator("#which").select_option("0")
        cells = page.locator("#outcome tr[data-side=new] td")
        assert int(cells.nth(0).inner_text()) + int(cells.nth(1).inner_text()) == len(pairs[0][0].anomalous_scores)


def test_roc_area_and_quantiles_are_those_of_the_hub(site: HubSite) -> None:
    random = np.random.default_rng(4)
    normal, odd = np.round(random.normal(size=80), 1), np.round(random.normal(1.0, 1.0, 50), 1)  # with ties
    with site.browser("vera") as page:
        area, alarms, bins = page.evaluate(
            """async ([normal, odd]) => {
               const own = await import(`${document.body.dataset.static}/hub/detection.js`);
               const cases = [[0.01, 0, 6, 10], [0.05, 0.5, 3, 5], [0.2, 0.9, 1, 1]];
               return [own.area(own.roc(normal, odd)), cases.map((one) => own.alarmsPerWeek(...one)),
                 own.histogram(normal, -3, 3, 12)]; }""",
            [normal.tolist(), odd.tolist()],
        )
    scores = np.concatenate([normal, odd])
    assert area == pytest.approx(auc(np.arange(130) >= 80, scores), abs=1e-9)
    for shown, (rate, correlation, k, n) in zip(
        alarms, [(0.01, 0.0, 6, 10), (0.05, 0.5, 3, 5), (0.2, 0.9, 1, 1)], strict=True
    ):
        budget = AlarmBudget(raise_after=k, raise_within=n)
        assert shown == pytest.approx(budget.alarms_per_week(rate, correlation), rel=1e-4)
    np.testing.assert_allclose(bins, np.histogram(np.clip(normal, -3, 3), np.linspace(-3, 3, 13))[0] / 80, atol=0.03)
