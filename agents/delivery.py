"""delivery-NAME: charges for one system outside, queued as they come and delivered at its pace (DESIGN §5).

NAME is a target of the file that `HOURSTREAM_TARGETS` names. Answers are announced on `erp.postings`, refusals and a
target that stays away on `billing.exceptions`.
"""

import threading

from agents.names import LiveNames
from agents.sink import sink_process
from runtime.plane.partitions import crash
from runtime.plane.process import Batches, BatchProcess
from runtime.settings import Settings
from sinks.database import Pool
from sinks.delivery.deliverer import Deliverer
from sinks.delivery.exceptions import EXCEPTIONS_TOPIC
from sinks.delivery.figures import DeliveryFigures
from sinks.delivery.naming import NamesMasters
from sinks.delivery.queue import DeliverySink
from sinks.delivery.targets import Declared
from sinks.erp.journal import POSTINGS_TOPIC
from sinks.routing import load_routes

PREFIX = "delivery-"


def process(settings: Settings, declared: Declared) -> BatchProcess:
    """The queue of a target as a consumer of `billing.ready`, and a thread that empties it."""
    target, routes = declared.make(), load_routes(settings.routes)
    if isinstance(target, NamesMasters):
        target.names_from(LiveNames(settings.bootstrap))

    def make(pool: Pool) -> DeliverySink:
        deliverer = Deliverer(target, pool, declared.policy)
        threading.Thread(target=_run, args=(deliverer,), name=PREFIX + declared.name, daemon=True).start()
        return DeliverySink(pool, target, deliverer.wake, routes)

    topics = (POSTINGS_TOPIC, EXCEPTIONS_TOPIC)
    delivery = sink_process(PREFIX + declared.name, settings, topics, make, DeliveryFigures)

    @delivery.app.agent(delivery.topic)
    async def queue_charges(batches: Batches) -> None:
        async for batch in batches:
            await delivery.run(batch)

    return delivery


def _run(deliverer: Deliverer) -> None:
    try:
        deliverer.run()
    except Exception as error:
        crash(error)
