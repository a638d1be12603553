"""The API's description is complete, shipped, and true: whatever is sent, no 5xx, and answers as described.

Each operation is sent generated requests, right and wrong ones (schemathesis), against the real app and database.
"""

from __future__ import annotations

import os
from typing import Any

import hypothesis
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.hub import Hub
from tests.support.hub_clips import add_clip, clip_id, machine_row
from tests.support.hub_fleet import add_bundle, add_fleet, add_performance, add_run
from training_hub.api.generate import main

_EXAMPLES = int(os.environ.get("HUB_FUZZ_EXAMPLES", "2"))
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_KNOWN = {
    "/clips": [clip_id(0), clip_id(1)],
    "/jobs": [clip_id(400)],
    "/runs": [clip_id(401)],
    "/bundles": [clip_id(300)],
    "/tuf": [clip_id(300)],
    "/machines": [1],
}


schemathesis.serializer.alias(
    ["application/x-tar", "audio/flac", "application/vnd.edge-agent.log-mel+npz"], "application/octet-stream"
)


def test_the_shipped_description_is_current() -> None:
    assert main(["--check"]) == 0, "python -m training_hub.api.generate"


def test_every_operation_is_described(hub: Hub) -> None:
    document = hub.app.openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (method, path)
            assert operation.get("tags") or not path.startswith("/api/"), (method, path)
            for parameter in operation.get("parameters", ()):
                named = parameter["in"] == "path" or parameter.get("description") or parameter["schema"]
                assert named, (path, parameter["name"])
            assert {"401", "403"} <= set(operation["responses"]) or not path.startswith("/api/"), (method, path)


def _of_gateways(method: str, path: str) -> bool:
    here = path.removeprefix("/api/v1")
    return (
        here.endswith("/missing")
        or here.startswith(("/clips/{sha256}", "/gateway/", "/tuf/metadata", "/tuf/targets/{"))
        or (method.lower(), here) == ("post", "/events")
    )


def test_no_request_breaks_the_hub(hub: Hub) -> None:
    with hub.parts.database.transaction() as session:
        machine_row(session)
        add_fleet(session)
        for number in range(3):
            add_clip(session, hub.parts.objects, number)
        add_run(session, hub.parts.objects)
        row = add_bundle(session, hub.parts.objects)
        add_performance(session, row.sha256)
    person, gateway = hub.script("admin"), hub.gateway("plant_9", "gw_9")
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", hub.app)
    broken: list[str] = []
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        asking = gateway if _of_gateways(operation.method, operation.path) else person
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            sent, problem = _fuzzed(operation, mode, {"Authorization": asking.headers["Authorization"]})
            asked += sent
            if problem is not None:
                broken.append(f"{operation.method.upper()} {operation.path}: {problem}")
    print(f"{asked} requests to {schema.statistic.operations.total} operations on {hub.backend}: {len(broken)} broken")
    assert not broken, "\n\n".join(broken)
    assert asked > 100


def _fuzzed(operation: Any, mode: GenerationMode, headers: dict[str, str]) -> tuple[int, str | None]:  # noqa: ANN401
    """How many requests were sent, and what was wrong with the last one."""
    sent = 0
    chosen_ids = hypothesis.strategies.sampled_from([None, *_known(operation.path)])

    @hypothesis.settings(
        max_examples=_EXAMPLES, derandomize=True, database=None, deadline=None, print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
        report_multiple_bugs=False, verbosity=hypothesis.Verbosity.quiet,
    )  # fmt: skip
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), chosen=chosen_ids)
    def one(case: Any, chosen: Any) -> None:  # noqa: ANN401
        nonlocal sent
        if chosen is not None:
            for name in case.path_parameters or {}:
                if name.endswith("id"):
                    case.path_parameters[name] = chosen
        sent += 1
        case.validate_response(case.call(headers=headers), checks=_CHECKS)

    try:
        one()
    except hypothesis.errors.Unsatisfiable:
        return sent, None  # nothing wrong can be sent to an operation that takes nothing
    except (Exception, BaseExceptionGroup) as error:  # collected: one broken operation hides no other
        return sent, f"{type(error).__name__}: {error}"
    return sent, None


def _known(path: str) -> list[Any]:
    return next((ids for prefix, ids in _KNOWN.items() if path.removeprefix("/api/v1").startswith(prefix)), [])
