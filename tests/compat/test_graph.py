"""The graph of a run (`graph-v2`): nodes for tasks and sub-flows, edges for what was handed on."""

from __future__ import annotations

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from support.waiting import wait_until


def run_id(state):
    return state.state_details.flow_run_id


def graph_of(api, id, count):
    """The graph, once it has `count` nodes and all have ended."""

    def complete():
        graph = api.get(f"/flow_runs/{id}/graph-v2")
        nodes = {node["label"].split("-")[0]: node for _, node in graph["nodes"]}
        assert len(graph["nodes"]) == count and all(node["end_time"] for node in nodes.values()), list(nodes.values())
        return graph, nodes

    return wait_until(complete)


def ids(edges):
    return sorted(edge["id"] for edge in edges)


def test_edges_follow_the_data(api):
    @task(task_run_name="extract")
    def extract():
        return {"rows": 1}

    @task(task_run_name="clean")
    def clean(table):
        return dict(table)

    @task(task_run_name="store")
    def store(raw, cleaned):
        return len(raw) + len(cleaned)

    @flow
    def pipeline():
        raw = extract.submit()
        return store.submit(raw, clean.submit(raw)).result()

    state = pipeline(return_state=True)

    graph, nodes = graph_of(api, run_id(state), 3)
    assert graph["root_node_ids"] == [nodes["extract"]["id"]]
    assert ids(nodes["store"]["parents"]) == sorted([nodes["extract"]["id"], nodes["clean"]["id"]])
    assert ids(nodes["extract"]["children"]) == sorted([nodes["clean"]["id"], nodes["store"]["id"]])
    assert {node["kind"] for node in nodes.values()} == {"task-run"}
    assert {node["state_type"] for node in nodes.values()} == {"COMPLETED"}


def test_subflow_is_one_node_with_its_run_behind_it(api):
    @flow(name="carrier", flow_run_name="UA")
    def inner(value):
        return value

    @task(task_run_name="before")
    def before():
        return {"value": 1}

    @flow
    def outer():
        return inner(before())

    state = outer(return_state=True)

    _, nodes = graph_of(api, run_id(state), 2)
    (child,) = api.flow_runs(flow_runs={"parent_flow_run_id": {"any_": [str(run_id(state))]}})
    assert nodes["carrier / UA"]["kind"] == "flow-run"
    assert nodes["carrier / UA"]["id"] == child["id"]
    assert ids(nodes["carrier / UA"]["parents"]) == [nodes["before"]["id"]]


def test_graph_shows_artifacts_and_states(api, unique):
    key = unique("graph")

    @task(task_run_name="reports")
    def reports():
        create_markdown_artifact("text", key=key)

    @flow
    def run():
        reports()

    state = run(return_state=True)

    graph, nodes = graph_of(api, run_id(state), 1)
    assert [artifact["key"] for artifact in nodes["reports"]["artifacts"]] == [key]
    assert [one["name"] for one in graph["states"]] == ["Pending", "Running", "Completed"]
    assert graph["artifacts"] == []


def test_enclosing_task_is_not_an_edge(api):
    @task(task_run_name="inner")
    def inner():
        return 1

    @task(task_run_name="outer")
    def outer():
        return inner()

    @flow
    def run():
        return outer()

    state = run(return_state=True)

    _, nodes = graph_of(api, run_id(state), 2)
    assert ids(nodes["inner"]["encapsulating"]) == [nodes["outer"]["id"]]
    assert nodes["inner"]["parents"] == []
