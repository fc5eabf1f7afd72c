"""The division into folds: by speakers, the same for all tasks, and what cannot be divided."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_cli import synergy
from small_corpora import gender_rows, write_manifest, write_tone_project
from test_config import GOOD, refused

from synergy.config import RunConfig, load_config
from synergy.datasets.base import Clip
from synergy.errors import DataError
from synergy.experiment import Experiment, Recipe, prepare
from synergy.stages.data_check import data_check
from synergy.tasks import TaskSpec
from synergy.tasks.folds import divided, fold_note, folded
from synergy.tasks.selection import TaskSelection
from synergy.tasks.task_source import LabelledClip

SPEAKERS = [f"s{number}" for number in range(12)]
AMOUNTS = st.dictionaries(
    st.sampled_from(SPEAKERS),
    st.fixed_dictionaries({("t",): st.just(1), ("t", "a"): st.integers(1, 9)}),
    min_size=1,
)


def selected(task: str, clips: list[tuple[str, str, str, int]]) -> TaskSelection:
    """A task of two classes with clips of a corpus, split, speaker and class each."""
    spec = TaskSpec(task, "clip_classification", ("no", "yes"))
    found = [
        LabelledClip(corpus, Clip(f"{n}.wav", split, speaker, 1.0, {}), target)  # pyright: ignore[reportArgumentType]
        for n, (corpus, split, speaker, target) in enumerate(clips)
    ]
    return TaskSelection(spec, tuple(found), ())


@given(AMOUNTS, st.integers(1, 5), st.randoms())
def test_every_speaker_has_one_fold_whatever_the_order(amounts, folds, random):
    found = divided(amounts, folds)
    assert found.keys() == amounts.keys()
    assert set(found.values()) <= set(range(folds))
    turned = list(amounts.items())
    random.shuffle(turned)
    assert divided(dict(turned), folds) == found
    # none is empty while another one has two
    assert len(set(found.values())) == min(folds, len(amounts))


@given(AMOUNTS, st.integers(2, 4))
def test_no_speaker_would_be_better_off_in_another_fold(amounts, folds):
    found = divided(amounts, folds)
    clips = sum(own["t", "a"] for own in amounts.values())

    def uneven(place):
        speakers = Counter(place.values())
        sizes = Counter()
        for speaker, fold in place.items():
            sizes[fold] += amounts[speaker]["t", "a"]
        return sum(
            (speakers[fold] / len(amounts)) ** 2 + (sizes[fold] / clips) ** 2
            for fold in range(folds)
        )

    others = [{**found, speaker: fold} for speaker in found for fold in range(folds)]
    assert uneven(found) <= min(map(uneven, others)) + 1e-6


@given(st.integers(2, 5), st.integers(0, 20), st.integers(0, 20))
def test_speakers_of_one_size_are_spread_evenly_class_by_class(folds, few, many):
    amounts = {
        f"{answer}{number}": {("t",): 1, ("t", answer): 4}
        for answer, count in (("a", few), ("b", many))
        for number in range(count)
    }
    found = divided(amounts, folds)
    for answer in ("", "a", "b"):
        sizes = Counter(dict.fromkeys(range(folds), 0))
        sizes.update(fold for speaker, fold in found.items() if speaker.startswith(answer))
        assert max(sizes.values()) - min(sizes.values()) <= 1


CLIPS = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.sampled_from(["train", "valid"]),
        st.sampled_from(["", *SPEAKERS]),
        st.integers(0, 1),
    ),
    max_size=20,
)
# enough to divide, some of them with names that both tasks have
BASE = [("one", "train", speaker, target) for speaker in SPEAKERS[:8] for target in (0, 1)]
TEST = [("one", "test", "t1", 0), ("one", "test", "t2", 1)]


@settings(max_examples=30)
@given(CLIPS, CLIPS, st.integers(2, 4), st.randoms())
def test_nobody_is_validated_who_is_trained_on_for_any_task(first, second, folds, random):
    tasks = [selected("first", BASE + TEST + first), selected("second", BASE + TEST + second)]
    found = folded(tasks, folds)
    validated: Counter[tuple[str, str]] = Counter()
    for of_fold in found:
        sides: dict[str, set[str]] = {"train": set(), "valid": set(), "test": set()}
        for own, whole in zip(of_fold, tasks, strict=True):
            assert [each.clip.path for each in own.clips] == [e.clip.path for e in whole.clips]
            assert len(own.of_split("test")) == len(TEST)
            for each in own.clips:
                sides[each.clip.split].add(each.clip.speaker or each.clip.path)
            paths = [(own.spec.name, each.clip.path) for each in own.of_split("valid")]
            validated.update(paths)
        assert not sides["train"] & sides["valid"]
    clips = [(t.spec.name, e.clip.path) for t in tasks for e in t.clips if e.clip.split != "test"]
    assert validated == Counter(clips)
    shuffled = [
        TaskSelection(task.spec, tuple(random.sample(task.clips, len(task.clips))), ())
        for task in reversed(tasks)
    ]
    for of_fold, again in zip(found, folded(shuffled, folds), strict=True):
        for own, other in zip(of_fold, reversed(again), strict=True):
            assert set(map(str, own.clips)) == set(map(str, other.clips))


def test_clips_without_a_speaker_count_as_one_each_and_are_told():
    task = selected("gc", BASE + TEST + [("one", "valid", "", 0), ("one", "train", "", 1)])
    own = [selections[0] for selections in folded([task], 2)]
    assert fold_note(own) == (
        "gc: 2 folds of 9+9 clips and 5+5 speakers, 2 clips without speaker counting as one each, "
        "2 test clips, 2 classes"
    )


def test_what_cannot_be_divided_is_said_of_all_tasks_at_once():
    tasks = [selected("first", BASE + TEST), selected("second", BASE[:4] + TEST)]
    with pytest.raises(DataError) as caught:
        folded(tasks, 10)
    assert str(caught.value) == (
        "task first: evaluation.folds: expected at most one fold for each speaker of train and "
        "valid, of whom there are 8, found 10; lower it\n"
        "task second: evaluation.folds: expected at most one fold for each speaker of train and "
        "valid, of whom there are 2, found 10; lower it"
    )
    one_sided = [("one", "train", speaker, 0) for speaker in SPEAKERS[:3]]
    with pytest.raises(DataError) as caught:
        folded([selected("gc", [*one_sided, ("one", "train", "other", 1), *TEST])], 2)
    assert str(caught.value) == (
        "task gc, fold 1 of 2: all 2 train clips are no; expected several classes; "
        "lower evaluation.folds\n"
        "task gc, fold 2 of 2: all 2 valid clips are no; expected several classes; "
        "lower evaluation.folds"
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("evaluation: {folds: 0}", "evaluation.folds: .* found 0"),
        ("evaluation: {folds: true}", "evaluation.folds: .* found True"),
        ("evaluation: {folds: 1.5}", r"evaluation.folds: .* found 1\.5"),
        ("evaluation: {folds: '2'}", "evaluation.folds: .* found '2'"),
        ("evaluation: {fold: 2}", "evaluation.fold: unknown key; did you mean 'folds'"),
        ("evaluation: {folds: 2}", r"evaluation.folds: expected a divisor of seeds \(1\)"),
        ("evaluation: {folds: 3}\nseeds: 4", r"divisor of seeds \(4\).*, found 3; change one of"),
        ("evaluation: {folds: 2}\nseeds: 2\ndecide_by: log_loss", "decide_by: expected score with"),
        ("evaluation: {folds: 5}\nseeds: 4", r"divisor of seeds \(4\).*, found 5; change one of"),
    ],
)
def test_folds_that_seeds_do_not_go_through_evenly_are_refused(tmp_path, settings, expected):
    message = refused(tmp_path, f"{GOOD}{settings}\n")
    assert len(message.splitlines()) == 1
    with pytest.raises(AssertionError, match=expected):
        raise AssertionError(message)


@pytest.mark.parametrize("command", [("data", "check"), ("plan",), ("baseline",)])
def test_too_many_folds_are_refused_before_anything_is_trained(tmp_path, command):
    config = write_tone_project(tmp_path, speakers=3)
    config.write_text(config.read_text() + "evaluation: {folds: 7}\nseeds: 7\n")
    options = () if command[0] == "data" else ("--workspace", tmp_path / "ws")
    ran = synergy(*command, "--config", config, *options)
    assert ran.code == 2
    assert "task gc: evaluation.folds: expected at most one fold for each speaker of train and" in (
        ran.err
    )
    assert "of whom there are 6, found 7" in ran.err
    assert not list((tmp_path / "ws" / "trials").glob("*"))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """The tone corpus with four seeds."""
    folder = tmp_path_factory.mktemp("tones")
    return load_config(write_tone_project(folder)).with_options(seeds=4)


@pytest.fixture(scope="module")
def halved(config: RunConfig) -> Experiment:
    return prepare(config.with_options(evaluation={"folds": 2}))


def test_without_folds_nothing_has_another_identity(config):
    experiment = prepare(config)
    digests = {task: data.digest for task, data in experiment.folds[0].items()}
    assert digests == {
        "gc": "5cea3afb3c9167bc802c",
        "scr": "dde313b3e941af68c768",
        "vad": "ca8e4dd36851c16ca1e6",
    }
    assert all(experiment.data_of(seed) is experiment.folds[0] for seed in range(9))
    trial = experiment.trial(experiment.alone("gc"), 1)
    assert "fold" not in str(trial.to_json())
    assert experiment.notes[0] == "gc: 24 train, 12 valid, 12 test clips, 2 classes"


def test_seeds_go_through_the_folds_in_turn(config, halved):
    whole = prepare(config)
    for seed in range(5):
        tree = halved.alone("gc")
        trial, other = halved.trial(tree, seed), halved.trial(tree, seed + 2)
        assert trial.data == other.data
        assert trial.data != halved.trial(tree, seed + 1).data
        assert trial.data != whole.trial(tree, seed).data
    later = prepare(halved.config.with_options(seed=1))
    assert later.data_of(1)["gc"].digest == halved.data_of(0)["gc"].digest


def test_students_learn_from_teachers_of_their_own_fold(halved):
    for seed in (0, 1):
        taught = halved.trial(halved.flat(halved.tasks, 8), seed, Recipe(distilled=True))
        teachers = halved.trials([halved.alone("vad")], seeds=[seed, seed + 2])
        assert taught.teachers["vad"] == tuple(trial.digest for trial in teachers)


def test_all_speakers_of_the_folds_count_as_validated(halved):
    assert halved.speakers("gc", "valid") == 24
    assert halved.speakers("gc", "test") == 12
    assert halved.notes[0] == (
        "gc: 2 folds of 18+18 clips and 12+12 speakers, 12 test clips, 2 classes"
    )
    facts = data_check(halved).tasks["scr"]
    assert (facts.splits["valid"].clips, facts.splits["valid"].speakers) == (36, 24)
    assert facts.splits["train"] == facts.splits["valid"]
    assert [(fold.clips, fold.speakers) for fold in facts.folds] == [(18, 12)] * 2
    assert sum(fold.counts["up"] for fold in facts.folds) == facts.splits["valid"].counts["up"]


def test_a_speaker_of_two_corpora_is_in_one_fold(tmp_path: Path) -> None:
    rows = gender_rows()
    more = [entry | {"path": f"{n}.wav"} for n, entry in enumerate(rows)]
    for name, own in (("first", rows), ("second", more)):
        write_manifest(tmp_path / name, own)
    source = {"kind": "clip_classification"}
    config = RunConfig.model_validate(
        {
            "corpora": {
                name: {"format": "manifest", "folder": str(tmp_path / name)}
                for name in ("first", "second")
            },
            "tasks": {
                "one": source | {"corpora": {"first": {"column": "gender"}}},
                "two": source | {"corpora": {"second": {"column": "gender"}}},
            },
            "seeds": 2,
            "evaluation": {"folds": 2},
        }
    )
    experiment = prepare(config)
    speakers = {
        f"{name}/{clip.path}": clip.speaker
        for name, corpus in experiment.corpora.items()
        for clip in corpus.clips
    }
    for data in experiment.folds:
        sides = [
            {speakers[experiment.bank.keys[n]] for task in data.values() for n in task.clips[split]}
            for split in ("train", "valid")
        ]
        assert not sides[0] & sides[1]
        assert all(len(side) == 2 for side in sides)
