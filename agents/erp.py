"""erp: every charge becomes one balanced posting of the ERP journal, announced on `erp.postings`."""

from agents.sink import sink_process
from runtime.plane.process import Batches, BatchProcess
from runtime.settings import Settings
from sinks.erp.journal import POSTINGS_TOPIC, Journal

NAME = "erp"


def process(settings: Settings) -> BatchProcess:
    """The journal as a consumer of `billing.ready`."""
    erp = sink_process(NAME, settings, (POSTINGS_TOPIC,), Journal)

    @erp.app.agent(erp.topic)
    async def post_charges(batches: Batches) -> None:
        async for batch in batches:
            await erp.run(batch)

    return erp
