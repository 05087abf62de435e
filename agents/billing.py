"""billing: projects charges for invoicing, and announces what invoice runs did on `invoice.status`.

This process alone writes `invoice.status`; an invoice run itself is `hourstream invoice run`.
"""

from agents.sink import sink_process
from runtime.plane.process import Batches, BatchProcess
from runtime.settings import Settings
from sinks.billing.invoice_run import STATUS_TOPIC
from sinks.billing.projection import Projection

NAME = "billing"


def process(settings: Settings) -> BatchProcess:
    """The projection as a consumer of `billing.ready`."""
    billing = sink_process(NAME, settings, (STATUS_TOPIC,), Projection)

    @billing.app.agent(billing.topic)
    async def project_charges(batches: Batches) -> None:
        async for batch in batches:
            await billing.run(batch)

    return billing
