"""The masters that documents name, read from `masters.current`: once for a command, repeatedly for a worker."""

import threading
import time

from common.isolation import ISOLATED
from invoicing.parties import Names
from rating.model.master_data import Client, Engagement, LegalEntity, Task
from rating.model.master_records import master
from streaming.topic_reader import read_all
from topics.records import current_masters

_FRESH_SECONDS = 60.0  # a name that is new is on documents so much later at most


def names(broker: str) -> Names:
    """The masters that documents name, from `masters.current`."""
    found = {(topic, id_): value for _, topic, id_, value in current_masters(read_all(broker, ["masters.current"]))}
    clients, entities = dict[str, Client](), dict[str, LegalEntity]()
    engagements, tasks = dict[str, Engagement](), dict[str, Task]()
    for (topic, id_), value in found.items():
        try:
            read = master(topic, value)
        except Exception as error:  # one master that cannot be read must not stop the documents of all others
            ISOLATED.log(f"masters.current: {topic} {id_}", error)
            continue
        match read:
            case Client() as client:
                clients[id_] = client
            case LegalEntity() as entity:
                entities[id_] = entity
            case Engagement() as engagement:
                engagements[id_] = engagement
            case Task() as task:
                tasks[id_] = task
            case _:
                pass
    return Names(clients, entities, engagements, tasks)


class LiveNames:
    """The names as they were at most a minute ago. May be called from several threads."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._found, self._read_at = Names(), float("-inf")

    def __call__(self) -> Names:
        with self._lock:
            if time.monotonic() - self._read_at > _FRESH_SECONDS:
                self._found, self._read_at = names(self._broker), time.monotonic()
            return self._found
