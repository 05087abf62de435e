"""The interface of a target that also creates master data, such as the parties of an ERP."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from invoicing.parties import Names


@runtime_checkable
class NamesMasters(Protocol):
    """A target that names clients, engagements and tasks in the system it delivers to."""

    def names_from(self, names: Callable[[], Names]) -> None:
        """Ask `names` for them from now on; it may be called from several threads."""
