from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import (
    PAPER_BLOCKS,
    PAPER_DECODERS,
    PAPER_TASKS,
    block_costs,
    paper_rows,
    sharing_trees,
    task_names,
)

from synergy.errors import TreeError
from synergy.tree import Branch, SharingTree


def leaf(task, first, last):
    return Branch((first, last) if last >= first else None, (task,))


# -- laws -------------------------------------------------------------------------------------


@given(sharing_trees())
def test_json_has_an_inverse(tree):
    text = json.dumps(tree.to_json(), allow_nan=False)
    assert SharingTree.from_json(json.loads(text)) == tree


@given(sharing_trees(), st.data())
def test_notation_has_an_inverse_in_any_order_of_tasks(tree, data):
    order = data.draw(st.permutations(tree.tasks))
    assert SharingTree.parse(tree.notation(), tree.depth) == tree
    assert SharingTree.parse(tree.notation(order), tree.depth) == tree


@given(sharing_trees())
def test_every_path_covers_all_blocks_once_and_in_order(tree):
    for task in tree.tasks:
        path = tree.path(task)
        assert [n for branch in path for n in branch.block_numbers] == [*range(1, tree.depth + 1)]
        assert path[0] is tree.root
        assert path[-1].tasks == (task,)


@given(sharing_trees(), st.data())
def test_order_of_tasks_and_children_changes_nothing(tree, data):
    def shuffled(branch):
        children = data.draw(st.permutations(branch.children))
        tasks = data.draw(st.permutations(branch.tasks))
        return Branch(branch.blocks, tuple(tasks), tuple(map(shuffled, children)))

    other = SharingTree(shuffled(tree.root), tree.depth)
    assert other == tree
    assert hash(other) == hash(tree)


@given(sharing_trees())
def test_shared_depth_is_an_ultrametric(tree):
    depths = {(a, b): tree.shared_depth(a, b) for a in tree.tasks for b in tree.tasks}
    for a in tree.tasks:
        assert depths[a, a] == tree.depth
        for b in tree.tasks:
            assert depths[a, b] == depths[b, a]
            for c in tree.tasks:
                assert depths[a, c] >= min(depths[a, b], depths[b, c])


@given(sharing_trees(max_depth=8), st.data())
def test_cost_counts_every_block_of_every_branch(tree, data):
    costs = data.draw(block_costs(tree.depth))
    # Block n exists once for each group of tasks that share n blocks or more.
    total = 0.0
    for number, cost in enumerate(costs, 1):
        groups = {
            frozenset(other for other in tree.tasks if tree.shared_depth(task, other) >= number)
            for task in tree.tasks
        }
        total += cost * len(groups)
    assert tree.cost(costs) == pytest.approx(total)


@given(sharing_trees())
def test_branches_are_named_apart(tree):
    names = tree.names()
    holders = [branch for branch in tree.branches() if branch.blocks is not None]
    assert len(names) == len(set(names.values())) == len(holders)
    assert all(name.isidentifier() for name in names.values())


@given(task_names(2, 6), st.integers(0, 8), block_costs())
def test_flat_tree(tasks, shared, costs):
    tree = SharingTree.flat(tasks, shared, 8)
    assert tree.tasks == tuple(sorted(tasks))
    assert tree.shared_depth(tasks[0], tasks[1]) == shared
    expected = sum(costs[:shared]) + len(tasks) * sum(costs[shared:])
    assert tree.cost(costs) == pytest.approx(expected)


@given(st.integers(1, 12), st.data())
def test_single_tree(depth, data):
    tree = SharingTree.single("gc", depth)
    costs = data.draw(block_costs(depth))
    assert tree.cost(costs) == pytest.approx(sum(costs))
    assert tree.notation() == "gc"
    assert SharingTree.flat(["gc"], depth // 2, depth) == tree


# -- the paper's sizes ------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", PAPER_BLOCKS)
@pytest.mark.parametrize("row", paper_rows("table2_flat.csv"), ids=lambda r: r["shared_layers"])
def test_sizes_of_flat_models(row, blocks):
    tree = SharingTree.flat(PAPER_TASKS, int(row["shared_layers"]), 8)
    assert tree.cost(blocks) + PAPER_DECODERS == pytest.approx(float(row["params"]), rel=0.01)


@pytest.mark.parametrize("blocks", PAPER_BLOCKS)
@pytest.mark.parametrize(
    ("model", "notation"),
    [
        ("four independent models", "{gc,ac,scr,vad}@0"),
        ("flat MTL with 7 shared layers", "{gc,ac,scr,vad}@7"),
        ("{gc,ac},{scr,vad}", "{{gc,ac}@8,{scr,vad}@8}@6"),
        ("{gc,scr},{ac,vad}", "{{gc,scr}@8,{ac,vad}@6}@6"),
        ("{gc,vad},{ac,scr}", "{{gc,vad}@8,{ac,scr}@7}@6"),
    ],
)
def test_sizes_of_trees(model, notation, blocks):
    (row,) = (row for row in paper_rows("table4_four_tasks.csv") if row["model"] == model)
    tree = SharingTree.parse(notation, 8)
    assert tree.cost(blocks) + PAPER_DECODERS == pytest.approx(float(row["params"]), rel=0.01)


# -- canonical form and other forms -----------------------------------------------------------


def test_branches_without_blocks_are_lifted():
    nested = SharingTree.parse("{{gc,ac}@6,{scr,vad}@8}@6", 8)
    assert nested == SharingTree.parse("{gc,ac,{scr,vad}@8}@6", 8)
    assert nested.notation(PAPER_TASKS) == "{gc,ac,{scr,vad}@8}@6"


def test_runs_of_blocks_with_one_branch_below_are_one_run():
    inner = Branch((3, 5), ("a", "b"), (leaf("a", 6, 8), leaf("b", 6, 8)))
    assert SharingTree(Branch((1, 2), ("a", "b"), (inner,)), 8) == SharingTree.flat("ab", 5, 8)


def test_root_without_blocks():
    tree = SharingTree.parse("{{gc,ac}@8,scr}@0", 8)
    assert tree.root.blocks is None
    assert tree.shared_depth("gc", "scr") == 0
    assert tree.names() == {tree.path("gc")[1]: "ac_gc_1_8", tree.path("scr")[1]: "scr_1_8"}
    assert SharingTree.from_json(tree.to_json()) == tree


def test_json_form():
    assert SharingTree.parse("{gc,ac}@8", 8).to_json() == {
        "depth": 8,
        "root": {
            "blocks": [1, 8],
            "tasks": ["ac", "gc"],
            "children": [
                {"blocks": None, "tasks": ["ac"], "children": []},
                {"blocks": None, "tasks": ["gc"], "children": []},
            ],
        },
    }


def test_drawing():
    tree = SharingTree.parse("{{gc,ac}@8,{scr,vad}@7}@6", 8)
    assert tree.ascii(PAPER_TASKS).splitlines() == [
        "[blocks 1-6]",
        "├─ [blocks 7-8]",
        "│  ├─ [decoder only] -> gc",
        "│  └─ [decoder only] -> ac",
        "└─ [block 7]",
        "   ├─ [block 8] -> scr",
        "   └─ [block 8] -> vad",
    ]


def test_names_of_similar_tasks_do_not_collide():
    tree = SharingTree.parse("{{{a,b}@7,c}@6,{a_b,shared}@6}@5", 8)
    names = sorted(tree.names().values())
    assert len(set(names)) == len(names)
    assert {"shared_1_5", "a_b_7_7", "a_b_7_8", "shared_7_8"} <= set(names)


def test_names_that_differ_in_dashes_only_are_refused():
    with pytest.raises(TreeError, match="differ in more than - and _, found a-b, a_b"):
        SharingTree.flat(["a-b", "a_b", "c"], 6, 8)


# -- what is no tree --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("root", "depth", "words"),
    [
        (leaf("gc", 1, 8), 0, "at least one block"),
        (leaf("gc", 1, 7), 8, "ends at block 7, expected 8"),
        (leaf("gc", 2, 8), 8, "start at 1"),
        (Branch((8, 1), ("gc",)), 8, "start at 1"),
        (Branch((1, 8), ()), 8, "exactly one task"),
        (Branch((1, 8), ("gc", "ac")), 8, "exactly one task"),
        (Branch((1, 8), ("gc",), (leaf("ac", 9, 8),)), 8, "carry ac"),
        (Branch((1, 4), ("a", "b"), (leaf("a", 5, 8), leaf("b", 6, 8))), 8, "start at 5"),
        (Branch((1, 4), ("a", "b"), (leaf("a", 5, 8), leaf("b", 5, 9))), 8, "block 9"),
        (Branch((1, 4), ("a", "a"), (leaf("a", 5, 8), leaf("a", 5, 8))), 8, "every task once"),
        (leaf("1st", 1, 8), 8, "task '1st': expected a letter"),
        (leaf("two words", 1, 8), 8, "task 'two words': expected a letter"),
        (leaf("", 1, 8), 8, "task '': expected a name"),
    ],
)
def test_invalid_branches(root, depth, words):
    with pytest.raises(TreeError, match=words):
        SharingTree(root, depth)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a task name or a group, found 'the end'"),
        ("gc ac", "the end, found 'ac'"),
        ("gc}", "the end, found '}'"),
        ("@4", "a task name or a group, found '@4'"),
        ("{}@3", "a task name or a group, found '}'"),
        ("{gc,,ac}@3", "a task name or a group, found ','"),
        ("{1,2}@4", "a task name or a group, found '1'"),
        ("{gc,ac@8", "a task name or a group, found '@8'"),
        ("{gc,ac", "the end of the group, found 'the end'"),
        ("{gc,ac}", "shared depth of the group, found 'the end'"),
        ("{gc,ac}8", "shared depth of the group, found '8'"),
        ("{gc,ac}@-1", "shared depth of the group, found '@'"),
        ("{gc,ac}@\u0663", "shared depth of the group, found '@'"),
        ("{gc,ac}@1_0", "the end, found '_'"),
        (f"{{gc,ac}}@{'1' * 5000}", "shared depth of the group, found '@111"),
        (f"{'a' * 65}", "task 'aaa.* expected a name of at most 64 characters, found 65"),
        ("gc\ud800", r"the end, found '.ud800'"),
        ("{gc,ac}@9", "block 9, expected 8"),
        ("{{gc,ac}@4,scr}@6", r"start at 7 .* found 7\.\.4"),
        ("{gc,gc}@4", "every task once"),
        ("{gc ac}@3", "a comma, found 'ac'"),
        ("{gc{ac,scr}@5}@3", "a comma, found '{'"),
        ("{{gc,ac}@5 scr}@3", "a comma, found 'scr'"),
        ("{" * 5000, "at most 100 branches inside each other"),
    ],
)
def test_invalid_notation(text, words):
    with pytest.raises(TreeError, match=words):
        SharingTree.parse(text, 8)


@pytest.mark.parametrize(
    "data",
    [
        None, [], {}, {"depth": 8}, {"depth": "8", "root": {}}, {"depth": 8, "root": None},
        {"depth": 8, "root": {"blocks": [1, 8], "tasks": ["gc"]}},
        {"depth": 8, "root": {"blocks": [1], "tasks": ["gc"], "children": []}},
        {"depth": 8, "root": {"blocks": [1, 8.0], "tasks": ["gc"], "children": []}},
        {"depth": 8, "root": {"blocks": "18", "tasks": ["gc"], "children": []}},
        {"depth": 8, "root": {"blocks": [1, 8], "tasks": [1], "children": []}},
        {"depth": 8, "root": {"blocks": [1, 8], "tasks": "g", "children": []}},
        {"depth": 8, "root": {"blocks": [1, 8], "tasks": ["gc"], "children": [3]}},
        {"depth": 8, "root": {"blocks": [True, 8], "tasks": ["gc"], "children": []}},
        {"depth": True, "root": {"blocks": [1, 1], "tasks": ["gc"], "children": []}},
    ],
)  # fmt: skip
def test_invalid_json(data):
    with pytest.raises(TreeError):
        SharingTree.from_json(data)


@pytest.mark.parametrize("levels", [101, 600, 5000])
def test_what_is_nested_too_deeply_is_refused_before_anything_recurs(levels):
    node = {"blocks": None, "tasks": ["gc"], "children": []}
    for _ in range(levels):
        node = {"blocks": None, "tasks": ["gc"], "children": [node]}
    for read in (
        lambda: SharingTree.from_json({"depth": 8, "root": node}),
        lambda: SharingTree.parse("{" * levels + "gc" + "}@0" * levels, 8),
    ):
        with pytest.raises(TreeError, match="at most 100 branches inside each other"):
            read()


def test_a_tree_that_is_made_here_keeps_the_same_bounds():
    branch = Branch(None, ("gc",))
    for _ in range(100):
        branch = Branch(None, ("gc",), (branch,))
    with pytest.raises(TreeError, match="at most 100 branches inside each other"):
        SharingTree(branch, 8)
    with pytest.raises(TreeError, match="at most 200 tasks, found 201"):
        SharingTree.flat([f"t{n}" for n in range(201)], 4, 8)
    for depth in (1001, 10**5000):
        with pytest.raises(TreeError, match="at least one block and at most 1000, found"):
            SharingTree.single("gc", depth)


def test_twenty_thousand_tasks_are_counted_and_not_listed():
    names = [f"t{n}" for n in range(20_000)]
    leaves = [{"blocks": [5, 8], "tasks": [name], "children": []} for name in names]
    root = {"blocks": [1, 4], "tasks": names, "children": leaves}
    for read in (
        lambda: SharingTree.from_json({"depth": 8, "root": root}),
        lambda: SharingTree.parse(f"{{{','.join(names)}}}@4", 8),
    ):
        with pytest.raises(TreeError, match="at most 200 tasks, found 20,000") as caught:
            read()
        assert len(str(caught.value)) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside),
    max_leaves=8,
)


@given(sharing_trees(at_most=4), JSON | st.just(10**5000) | st.just("\ud800" * 500), st.data())
def test_any_value_at_any_place_of_the_json_is_a_tree_or_refused(tree, value, data):
    form = tree.to_json()
    places = [(form, "depth"), (form, "root")]
    nodes = [form["root"]]
    while nodes:
        node = nodes.pop()
        places += [(node, key) for key in node]
        places += [(node["tasks"], n) for n in range(len(node["tasks"]))]
        places += [(node["blocks"], n) for n in range(2) if node["blocks"]]
        places += [(node["children"], n) for n in range(len(node["children"]))]
        nodes += node["children"]
    inside, key = data.draw(st.sampled_from(places))
    inside[key] = value
    with suppress(TreeError):
        read = SharingTree.from_json(form)
        assert SharingTree.from_json(read.to_json()) == read


@given(st.text("{}@,019abgc-_ \n\u0663\ud800", max_size=30), st.integers(1, 9))
def test_any_text_as_notation_is_a_tree_or_refused(text, depth):
    with suppress(TreeError):
        tree = SharingTree.parse(text, depth)
        assert SharingTree.parse(tree.notation(), depth) == tree


def test_wrong_questions():
    tree = SharingTree.flat(["gc", "ac"], 4, 8)
    with pytest.raises(TreeError, match="found task 'scr'"):
        tree.path("scr")
    with pytest.raises(TreeError, match="expected 8 block costs, found 7"):
        tree.cost([1] * 7)
    with pytest.raises(TreeError, match=r"shared depth of 0\.\.8, found 9"):
        SharingTree.flat(["gc", "ac"], 9, 8)
