"""The options of all commands, each declared once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from synergy import limits
from synergy.errors import ConfigError
from synergy.wording import quoted

if TYPE_CHECKING:
    from synergy.config import RunConfig
    from synergy.synthesis import ARTable

    ConfigSource = Path | RunConfig | None
    TableSource = Path | ARTable | None
else:  # what can be typed; Python has more
    ConfigSource = TableSource = Path | None


class Bounds(NamedTuple):
    """Least and largest value of a number; None where others know them, such as settings."""

    least: float | None = None
    most: float | None = None


_MOST_NUMBERS = 10_000

Budget = Annotated[int | None, Bounds(1)]
Whole = Annotated[int | None, Bounds()]
Number = Annotated[float | None, Bounds()]


@dataclass(frozen=True)
class Options:
    """What a command was asked for; what it does not offer has the default.

    `synergy.cli.panels` makes the help of this docstring: panel by panel the name of each option,
    what stands for its value, and what it does.

    Data
    ----
    config : FILE
        Configuration (YAML). Without it: the one that the workspace has, else the embedded corpus
        of synthetic speech.
    set : KEY=VALUE
        Replace a setting of the configuration, such as training.epochs=5 or
        tasks.gc.classes=[a,b]: a dotted key, and its value as in YAML; any number of times; kept in
        config.yaml.
    workspace : DIR
        Folder that keeps trainings and results.
    replace
        Put the results of another experiment aside.
    tasks : A,B,...
        Only these tasks of the configuration; all of them by default.
    table : FILE
        AR table to use instead of the workspace's: long (task_a, task_b, shared_depth, ar_pct) or
        wide (task_a, task_b, ar_4_pct, ...).

    Search
    ------
    depths : DEPTHS
        Shared depths to sweep, such as 4-8 or 4,6,8, instead of the configuration's; kept in
        config.yaml.
    sweep : NAME
        full, the default: every pair at every depth; scan: each pair from the deepest depth up to
        the first that passes --max-ar; adaptive: next what tells most about the smallest tree that
        keeps --max-ar with --confidence. --strict, --frontier and TreeMTL need what the last two
        skip.
    confidence : P
        Choose the smallest tree found that keeps --max-ar with this probability, above 0.5 and
        below 1, by the pooled losses of all trainings, instead of the tree of the table itself;
        0.9 with --sweep adaptive.
    budget : N
        Most trainings of the adaptive sweep, single-task models included; by default each of these
        and each cell once.
    max_ar : PCT
        Largest accuracy reduction in percent: of pairs that may share, and of the trained tree. A
        command that trains keeps it in the workspace's config.yaml.
    solver : NAME
        recursive: the paper's splits; exact: the smallest tree, up to 14 tasks. Both sizes are
        printed.
    strict
        Share only at depths at which the pair passed itself.
    max_params : N
        Instead of --max-ar: the lowest predicted AR with at most N parameters in all; not with
        --solver or --strict.
    max_macs : N
        Instead of --max-ar: the lowest predicted AR with at most N multiply-accumulates for a
        second of audio; the same holds.
    frontier
        Show every tree that some threshold leads to, with its size; train nothing.
    methods : A,B,...
        Only these comparisons; all of them by default. docs/extending.md lists them.
    no_train
        Only find the tree and write tree.json. With --table this needs no workspace and no
        recordings and writes nothing; block sizes are those of --config's encoder, or of the
        default one.

    Training
    --------
    quick
        A first look: every training is cut to a few epochs, minutes in all for a few tasks. Results
        say that they are not final; a later command in full puts them aside. Kept in config.yaml
        as `schedule`.
    distill : [auto]
        Let the single-task models label every clip for every task, as teachers. With auto the
        tree is trained plain or with teachers, whichever promises more.
    width : F
        Multiply the channels of the tree's blocks by F, such as 0.75: a smaller network of the
        same shape. With auto any of 1, 0.9, 0.8, 0.7, 0.6 and 0.5. The single-task models and the
        pairs keep theirs.
    rounds : N
        After the first tree, train what is worth the most by all that was measured: a smaller
        tree that may keep --max-ar, or one that is more likely to; at most N times. The best one
        is trained again with fresh seeds; with 0 it is not.
    final_epochs : N
        Train the trees of stage 3 for N epochs; the one that is delivered stands beside one with
        the sweep's budget, and is exported.
    seed : N
        First seed, instead of the configuration's; kept in config.yaml.
    seeds : K
        Train everything with K seeds, counted up from the first one, instead of the
        configuration's number; scores are averaged; kept in config.yaml.
    workers : N
        Trainings at the same time; by default one for each core of this process, or of the
        cluster.
    executor : NAME
        process: worker processes with one thread each; serial: one training after the other in
        this process; ray: tasks of Ray, on this machine or a cluster (docs/cluster.md).
    device : DEVICE
        cpu, cuda or cuda:N, the GPU that networks are trained on; by default the first GPU where
        there is one. On Ray, --gpus-per-trial gives trainings a GPU.
    log : NAME
        Tell of every finished training: tensorboard writes its history as events into
        WORKSPACE/tensorboard, module:function is called with it (docs/extending.md); any number of
        times.
    ray_address : ADDRESS
        Join the Ray cluster at HOST:PORT, or with auto the one of this machine, instead of
        starting one; by default what RAY_ADDRESS says.
    gpus_per_trial : F
        Share of a GPU that each training on Ray gets, such as 0.25, or a whole number; by default
        none, and the CPU is used.
    with_test
        Measure pairs and null control on the test split, too, for the table alone: nothing is
        chosen by it, but who has read it has seen test before the tree is chosen.
    train_frontier : NUMBERS
        Train and measure these trees of --frontier, such as 1,3-5, and nothing else.

    Output
    ------
    json
        Print one JSON document on stdout instead of tables.
    wide
        Do not fit tables and notes to the terminal.
    splits : A,B,...
        Splits to measure, of train, valid and test.
    worst : N
        Clips to name of each task and split, those with the largest log-loss.
    full
        Read every recording again and hold it to what is known of it, whatever its size and time
        say. Features are checked whenever they are used.
    output : FILE
        Where the page is written; report.html in the workspace by default.
    csv
        Print one CSV table on stdout: a row for each segment with file, task, start_s, end_s,
        label, probability.
    labels : DIR
        Write the segments as labels of Audacity, one text file for each recording and task, and
        print the names of these files.
    threshold : P
        Probability from which a frame is active, instead of the model's. As NAME=P that of a task
        or a class, where a clip that does not reach it has no class; may be given repeatedly.
    window : S
        Hear recordings in windows of S seconds; by default those of more than 30 s, in windows as
        long as the crops of the training, and shorter ones as a whole.
    hop : S
        Seconds from the start of a window to that of the next; half a window by default.
    """

    config: ConfigSource = None
    set: list[str] | None = None
    workspace: Path = Path("runs/default")
    replace: bool = False
    tasks: str | None = None
    table: TableSource = None
    depths: str | None = None
    sweep: Literal["full", "scan", "adaptive"] = "full"
    confidence: Annotated[float | None, Bounds(0.5, 1)] = None
    budget: Annotated[int | None, Bounds(1, limits.CELLS)] = None
    max_ar: Number = None
    solver: Literal["recursive", "exact"] = "recursive"
    strict: bool = False
    max_params: Budget = None
    max_macs: Budget = None
    frontier: bool = False
    methods: str | None = None
    no_train: bool = False
    quick: bool = False
    distill: Literal["no", "yes", "auto"] = "no"
    width: Annotated[float | Literal["auto"], Bounds(limits.LEAST_WIDTH, limits.MOST_WIDTH)] = 1.0
    rounds: Annotated[int, Bounds(0, limits.ROUNDS)] = 3
    final_epochs: Annotated[int | None, Bounds(1, limits.EPOCHS)] = None
    seed: Whole = None
    seeds: Whole = None
    workers: Annotated[int | None, Bounds(1, limits.WORKERS)] = None
    executor: Literal["process", "serial", "ray"] = "process"
    device: str | None = None
    log: list[str] | None = None
    ray_address: str | None = None
    gpus_per_trial: Annotated[float, Bounds(0, limits.GPUS)] = 0.0
    with_test: bool = False
    train_frontier: str | None = None
    json: bool = False
    wide: bool = False
    splits: str = "valid,test"
    worst: Annotated[int, Bounds(0, 1000)] = 5
    full: bool = False
    output: Path | None = None
    csv: bool = False
    labels: Path | None = None
    threshold: list[str] | None = None
    window: Annotated[float | None, Bounds(*limits.WINDOW_S)] = None
    hop: Annotated[float | None, Bounds(limits.LEAST_HOP_S, limits.WINDOW_S[1])] = None

    def tasks_of(self, config: RunConfig) -> tuple[str, ...]:
        """The chosen tasks in the order of the configuration.

        Raises
        ------
        ConfigError
            If a name is empty, unknown or there twice.
        """
        names = [*config.tasks] if self.tasks is None else self.tasks.split(",")
        if not all(map(str.strip, names)):
            raise ConfigError(f"--tasks: expected names such as gc,ac, found {quoted(self.tasks)}")
        return config.only(map(str.strip, names))


def parse_numbers(option: str, text: str | None, what: str = "numbers") -> list[int] | None:
    """Numbers and ranges between commas; None for no choice, ConfigError for anything else."""
    if text is None:
        return None
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r" *([0-9]{1,4}) *(?:- *([0-9]{1,4}) *)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        numbers.extend(range(first, last + 1))
        if last < first or len(numbers) > _MOST_NUMBERS:
            raise ConfigError(
                f"{option}: expected {what} such as 4-8 or 4,6,8, found {quoted(text)}"
            )
    return numbers
