"""How probable an answer must be, by the name of a task or of a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synergy.errors import ModelError
from synergy.wording import did_you_mean, quoted, short_list


def class_thresholds(
    classes: Mapping[str, Sequence[str]],
    usual: Mapping[str, float],
    given: float | Mapping[str, float] | None,
) -> dict[str, tuple[float, ...]]:
    """The threshold of each class of each task.

    Parameters
    ----------
    classes : dict of str to names
        Of every task.
    usual : dict of str to float
        Of the tasks that detect activity; the classes of others have 0, which each reaches.
    given : float or dict of str to float, optional
        In (0, 1): one for all activities, or by name for what has that name, tasks and classes; a
        class goes before its task.

    Raises
    ------
    ModelError
        If one is out of range or of nothing that there is.
    """
    named: Mapping[str, float] = {}
    if isinstance(given, Mapping):
        named = given
    elif given is not None:
        usual = dict.fromkeys(usual, given)
    for value in (*usual.values(), *named.values()):
        if not 0 < value < 1:
            raise ModelError(f"expected a threshold between 0 and 1, found {value}")
    known = {*classes, *(label for names in classes.values() for label in names)}
    for name in named:
        if name not in known:
            raise ModelError(
                f"expected thresholds of tasks or classes of the model, found {quoted(name)}"
                f"{did_you_mean(name, sorted(known))}; its tasks are {short_list(classes)}"
            )
    return {
        task: tuple(named.get(label, named.get(task, usual.get(task, 0.0))) for label in names)
        for task, names in classes.items()
    }
