"""The process of one heavy job: `python -m training_hub.jobs.child`, its order on standard input."""

import importlib
import logging
import os
import sys
import threading
from typing import cast

from training_hub.config.settings import HubSettings
from training_hub.jobs.context import JobCancelledError, JobContext
from training_hub.jobs.kinds import JobKind
from training_hub.jobs.ledger import Attempt, JobLedger
from training_hub.jobs.process import Order
from training_hub.jobs.reporting import RowProgress
from training_hub.jobs.worker import explained
from training_hub.opening import open_parts

_log = logging.getLogger(__name__)


def main() -> int:
    """Do the job of the order; the exit status says whether it was done."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    order = Order.model_validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_worker, name="worker-watch", daemon=True).start()
    attempt = Attempt(order.job_id, order.number, order.kind, dict(order.parameters), order.created_by)
    with open_parts(HubSettings.model_validate_json(order.settings), os.environ) as parts:
        ledger = JobLedger(parts.database)
        progress = RowProgress(ledger, attempt, stopping=threading.Event())
        try:
            kind = cast(JobKind, importlib.import_module(order.module))
            result = kind.run(JobContext(attempt.job_id, attempt.created_by, parts, progress), attempt.parameters)
        except JobCancelledError:
            return 0  # the worker, which asked for it, writes it down
        except Exception as error:  # a kind may raise anything; its row says what
            _log.warning("job %s (%s) failed", attempt.job_id, attempt.kind, exc_info=True)
            ledger.failed(attempt, explained(error))
            return 1
        ledger.done(attempt, result)
    return 0


def _end_with_worker() -> None:
    """A job whose worker is gone is another worker's soon: end at once."""
    while os.read(0, 1024):
        pass
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main())
