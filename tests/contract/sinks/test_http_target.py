"""The HTTP billing sink against an application that is a process of its own: in batches, and a request a charge."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from sinks.contract import Sink
from sinks.delivery.queue import DeliverySink
from sinks.delivery.target import Target
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool
from tests.contract.sinks.receiving import Receiver, receiving
from tests.contract.sinks.sink_charges import charge
from tests.contract.sinks.sink_contract import Ledger
from tests.contract.sinks.target_contract import DeliveryContract, TargetContract


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """The application of this module."""
    with receiving(tmp_path_factory.mktemp("receiver")) as receiver:
        yield receiver


class Http:
    """What every contract asks of it."""

    application: Receiver

    @pytest.fixture(autouse=True)
    def _fresh(self, application: Receiver) -> None:
        application.tell(reset=True)
        type(self).application = application

    def held(self, target: Target) -> Ledger:
        """What the application has made."""
        return self.application.held()


class HttpTarget(Http, TargetContract):
    """As a target."""

    refusal = "entity is missing"

    def refused(self) -> ChargeRecord:
        return charge("refused", legal_entity="")

    @contextmanager
    def unavailable(self, target: Target) -> Iterator[None]:
        self.application.tell(down=True)
        yield
        self.application.tell(down=False)


class TestBatches(HttpTarget):
    """Several charges a request, authorised by OAuth 2."""

    @pytest.fixture
    def target(self, application: Receiver) -> Iterator[Target]:
        """The target under test."""
        with closing(application.target()) as target:
            yield target


class TestSingle(HttpTarget):
    """A request a charge, authorised by a key."""

    @pytest.fixture
    def target(self, application: Receiver) -> Iterator[Target]:
        """The target under test."""
        with closing(application.single()) as target:
            yield target


class TestHttpDelivery(Http, DeliveryContract):
    """Under a queue."""

    @pytest.fixture
    def target(self, application: Receiver) -> Iterator[Target]:
        """The target under test."""
        with closing(application.target()) as target:
            yield target

    @staticmethod
    def build(pool: Pool) -> Sink:
        with closing(TestHttpDelivery.application.target()) as target:
            return DeliverySink(pool, target)
