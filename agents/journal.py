"""erp: posts every charge as one balanced posting of an ERP journal, announced on `erp.postings`.

There may be further journals, each a process of its own: an old ERP and a new one during a migration. Routes
(`HOURSTREAM_ROUTES`) decide which charges each of them receives.
"""

import functools

from settings import Settings
from sinks.committer import sink_process
from sinks.journal import JOURNAL, POSTINGS_TOPIC, Journal
from sinks.routing_file import load_routes
from streaming.process import Batches, BatchProcess

NAME = "erp"


def process(settings: Settings, system: str = JOURNAL) -> BatchProcess:
    """A journal as a consumer of `billing.ready`."""
    name = NAME if system == JOURNAL else f"{NAME}-{system}"
    journal = functools.partial(Journal, system=system, routes=load_routes(settings.routes))
    erp = sink_process(name, settings, (POSTINGS_TOPIC,), journal)

    @erp.app.agent(erp.topic)
    async def post_charges(batches: Batches) -> None:
        async for batch in batches:
            await erp.run(batch)

    return erp
