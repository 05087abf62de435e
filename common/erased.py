"""Records that repeat after their person was erased (DOMAIN.md §1): an erased value equals its encrypted form.

The original value is unknown by then, so such a record equals the one with the encrypted value.
"""

import re
from dataclasses import fields, is_dataclass

_MARK = "erased:person:"
_SEALED = re.compile(r"sealed:(person:[a-z2-7]+):[A-Za-z0-9_-]+")


def alike_but_erased(a: object, b: object) -> bool:
    """Whether two records of one kind differ only in values that are encrypted in one and erased in the other."""
    if not is_dataclass(a) or type(a) is not type(b):
        return False
    return all(_alike(getattr(a, each.name), getattr(b, each.name)) for each in fields(a) if each.compare)


def _alike(a: object, b: object) -> bool:
    if a == b:
        return True
    if not isinstance(a, str) or not isinstance(b, str) or (_MARK not in a and _MARK not in b):
        return False
    return _SEALED.sub(r"erased:\1", a) == _SEALED.sub(r"erased:\1", b)
