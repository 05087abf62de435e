"""delivery-NAME: queues charges for one system outside and delivers them at its pace (DESIGN §5).

NAME is a target of the file in `HOURSTREAM_TARGETS`. Answers are announced on `erp.postings`, refusals and unreachable
targets on `billing.exceptions`. A target that can report the status of its invoices is polled, and its reports are
announced on `source.billing.statuses`.
"""

import threading
from collections.abc import Callable

from invoicing.party_lookup import LiveNames
from invoicing.status_intake import EVENTS_TOPIC
from settings import Settings
from sinks.committer import sink_process
from sinks.delivery.config import Declared
from sinks.delivery.exceptions import EXCEPTIONS_TOPIC
from sinks.delivery.master_data_target import NamesMasters
from sinks.delivery.queue import DeliverySink
from sinks.delivery.stats import DeliveryFigures
from sinks.delivery.status_poller import StatusPoller
from sinks.delivery.status_source import StatusSource
from sinks.delivery.worker import DeliveryWorker
from sinks.journal import POSTINGS_TOPIC
from sinks.routing_file import load_routes
from storage.postgres import Pool
from streaming.partitions import crash
from streaming.process import Batches, BatchProcess

PREFIX = "delivery-"


def process(settings: Settings, declared: Declared) -> BatchProcess:
    """A target's queue as a consumer of `billing.ready`, a thread that empties it, and one that asks for statuses."""
    target, routes = declared.make(), load_routes(settings.routes)
    if isinstance(target, NamesMasters):
        target.names_from(LiveNames(settings.bootstrap))
    topics = [POSTINGS_TOPIC, EXCEPTIONS_TOPIC]
    if isinstance(target, StatusSource):
        topics.append(EVENTS_TOPIC)

    def make(pool: Pool) -> DeliverySink:
        deliverer = DeliveryWorker(target, pool, declared.policy)
        _start(PREFIX + declared.name, deliverer.run)
        if isinstance(target, StatusSource):
            watch = StatusPoller(target, pool, declared.policy, declared.status_seconds)
            _start(f"statuses-{declared.name}", watch.run)
        return DeliverySink(pool, target, deliverer.wake, routes)

    delivery = sink_process(PREFIX + declared.name, settings, topics, make, DeliveryFigures)

    @delivery.app.agent(delivery.topic)
    async def queue_charges(batches: Batches) -> None:
        async for batch in batches:
            await delivery.run(batch)

    return delivery


def _start(name: str, run: Callable[[], None]) -> None:
    threading.Thread(target=_run, args=(run,), name=name, daemon=True).start()


def _run(run: Callable[[], None]) -> None:
    try:
        run()
    except Exception as error:
        crash(error)
