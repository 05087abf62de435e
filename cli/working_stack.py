"""A stack whose workers work: that of `up` or `demo` where one runs, else one started for the command."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from cli.context import errors, let_others_finish, supervised
from cli.progress import progress_bars
from cli.worker import workers_of_a_run
from devstack.home import is_taken
from devstack.stack import Stack
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from operations.quiescence import unsent, wait_until_quiet
from operations.running_workers import RunningWorkers
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming.admin import admin_client
from topics.create import create_topics

_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class WorkingStack:
    """Servers with topics and tables, and the workers on them; none where another installation runs them."""

    stack: Stack
    pool: Pool
    workers: Workers | RunningWorkers | None

    @property
    def broker(self) -> str:
        """Where Kafka is."""
        return self.stack.broker

    @property
    def settings(self) -> Settings:
        """The settings with both addresses."""
        return self.stack.settings

    def rest(self, seconds: float) -> bool:
        """Wait until the workers have worked off everything; False where this home runs none. Raises NotQuiet."""
        if self.workers is None:
            return False
        if isinstance(self.workers, Workers):
            with progress_bars(self.workers) as show:
                wait_until_quiet(self.workers, self.broker, lambda: unsent(self.pool), seconds=seconds, progress=show)
        else:
            with errors.status("waiting for the workers"):
                wait_until_quiet(self.workers, self.broker, lambda: unsent(self.pool), seconds=seconds)
        return True


@contextlib.contextmanager
def working_stack(settings: Settings) -> Iterator[WorkingStack]:
    """The stack of a command that publishes records and waits until the workers have processed them."""
    with supervised(settings) as (stack, record):
        create_topics(admin_client(stack.broker), every_topic(settings.partitions), settings.replication)
        with open_pool(stack.postgres_url) as pool:
            migrate(pool)
            if stack.holds_home:
                names = workers_of_a_run(stack.settings)
                with Workers(stack.settings, names, stack.settings.environment(), record=record) as workers:
                    yield WorkingStack(stack, pool, workers)
                    let_others_finish(settings)
            else:
                taken = is_taken(settings.home)
                # With servers elsewhere the workers may be elsewhere too: those noted here now are waited for.
                embedded = settings.broker is None or settings.postgres_url is None
                running = RunningWorkers(settings.home, _START_SECONDS if embedded else 0) if taken else None
                yield WorkingStack(stack, pool, running if running and running.names else None)
