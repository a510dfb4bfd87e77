"""The configurations that are recorded: what differs from `DEFAULTS`, and nothing else. Needs no reference."""

from __future__ import annotations

import copy
from collections.abc import Iterator

MANIFEST = "job_configuration/job_manifest"
POD = f"{MANIFEST}/spec/template/spec"
CONTAINER = f"{POD}/containers/0"
ABSENT = object()

FLOW_RUN = "0f9d3a5e-1c2b-4d3e-8f4a-5b6c7d8e9f00"
FLOW = "1a2b3c4d-5e6f-4a1b-9c2d-3e4f5a6b7c8d"
DEPLOYMENT = "2b3c4d5e-6f7a-4b2c-8d3e-4f5a6b7c8d9e"
POOL = "3c4d5e6f-7a8b-4c3d-9e4f-5a6b7c8d9e0f"
WORKER = "4d5e6f7a-8b9c-4d4e-8f5a-6b7c8d9e0f1a"
SECRET = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_"
SIGTERM = "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"
API = {"PREFECT_API_URL": "http://tidegate.example:4200/api"}

DEFAULTS: dict = {
    "base_job_template": "current",
    "deployment_job_variables": {},
    "flow_run_job_variables": {},
    "flow_run": {
        "id": FLOW_RUN, "created": "2026-01-02T03:04:05Z", "updated": "2026-01-02T03:04:06Z", "name": "amber-otter", "flow_id": FLOW,
        "deployment_id": DEPLOYMENT, "parameters": {"size": 3}, "tags": ["nightly"], "run_count": 0,
    },
    "flow": {"id": FLOW, "created": "2026-01-01T00:00:00Z", "updated": "2026-01-01T00:00:00Z", "name": "flights", "tags": [], "labels": {}},
    "deployment": {
        "id": DEPLOYMENT, "created": "2026-01-01T00:00:00Z", "updated": "2026-01-01T12:30:00.123456Z", "name": "daily", "flow_id": FLOW,
        "concurrency_limit": None, "global_concurrency_limit": None,
    },
    "work_pool": {"id": POOL, "name": "k8s", "type": "kubernetes", "default_queue_id": "5e6f7a8b-9c0d-4e5f-8a6b-7c8d9e0f1a2b"},
    "worker_name": "KubernetesWorker one",
    "worker_id": WORKER,
    "worker_environment": API,
    "existing_secrets": [],
}

KUBECONFIG = {
    "apiVersion": "v1", "kind": "Config", "current-context": "west", "preferences": {},
    "clusters": [{"name": "west", "cluster": {"server": "https://west.example:6443"}}],
    "users": [{"name": "robot", "user": {"token": "t0ken"}}],
    "contexts": [{"name": "west", "context": {"cluster": "west", "user": "robot", "namespace": "flows"}}],
}
BLOCKS = {
    "kubernetes-cluster-config/west": {"config": KUBECONFIG, "context_name": "west"},
    "secret/token": {"value": "s3cret"},
    "json/nested": {"value": {"cpu": "250m", "limits": {"memory": "1Gi"}}},
    "aws-credentials/robot": {"aws_access_key_id": "AKIA", "region_name": "eu-west-1"},
}
CLUSTER_BLOCK = "6f7a8b9c-0d1e-4f6a-9b7c-8d9e0f1a2b3c"
BLOCKS_BY_ID = {CLUSTER_BLOCK: BLOCKS["kubernetes-cluster-config/west"]}
VARIABLES = {"team": "harbour", "size": 4, "options": {"zone": "b", "spot": True}, "list": ["a", "b"]}

# Each variable with values that people give it, right and wrong.
VALUES: dict[str, list] = {
    "name": ["nightly", "My Job", "", "-", "Ünïcode & more", "run-{{ ctx.flow_run.name }}", "{{ ctx.flow.name }} {{ ctx.flow_run.id }}",
             "a" * 70, "日本", "{{ ctx.nothing }}"],
    "env": [{"A": "1"}, {"A": None}, {"A": 1, "B": True, "C": 1.5}, {}],
    "labels": [{"team": "data"}, {"My Label!": "My Value!"}, {"a/b/c": "x y"}, {}],
    "annotations": [{"note": "any text, kept as it is: ü"}, {"My Key": "v"}, {"k8s.example/a b": "1"}, {}],
    "command": ["python -m flows.run", "sh -c 'echo \"a b\" | cat'", "", "   ", "prefect flow-run execute --quiet"],
    "namespace": ["flows", "", "Not A Namespace"],
    "image": ["registry.example/flows:1.2", "", "busybox@sha256:" + "0" * 64],
    "service_account_name": ["flow-runner", ""],
    "image_pull_policy": ["Always", "Never", "always"],
    "backoff_limit": [0, 1, 6, "0", "two", 0.0, False],
    "finished_job_ttl": [60, 0, "60"],
    "job_watch_timeout_seconds": [30, "30", "soon"],
    "pod_watch_timeout_seconds": [300, "300", "soon"],
    "stream_output": [False, "false", "maybe"],
    "cluster_config": [{"config": KUBECONFIG, "context_name": "west"}, {"config": {}}, {"$ref": {"block_document_id": CLUSTER_BLOCK}}],
    "cpu_request": ["250m", 1],
    "cpu_limit": ["2"],
    "memory_request": ["128Mi"],
    "memory_limit": ["1Gi", 1073741824],
}


def edited(template: dict, *changes: tuple[str, object]) -> dict:
    """A copy of a template in which the value at each path is another, or is not there."""
    template = copy.deepcopy(template)
    for path, value in changes:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        place = template
        for part in parents:
            place = place[part] if isinstance(place, list) else place.setdefault(part, {})
        if value is ABSENT:
            del place[last]
        else:
            place[last] = copy.deepcopy(value)
    return template


def cases(templates: dict[str, dict]) -> Iterator[dict]:
    for key in templates:
        yield {"name": f"{key}: nothing given", "base_job_template": key}
        for variable, values in VALUES.items():
            for number, value in enumerate([None, *values]):
                what = "null" if number == 0 else f"value {number}"
                case = {"name": f"{key}: {variable}, {what}", "base_job_template": key}
                # Every other value comes from the run, the rest from its deployment.
                level = "flow_run_job_variables" if number % 2 else "deployment_job_variables"
                yield {**case, level: {variable: value}}
        yield {
            "name": f"{key}: everything given", "base_job_template": key,
            "deployment_job_variables": {
                variable: values[0] for variable, values in VALUES.items() if variable != "cluster_config"
            },
        }
    current, bundled = templates["current"], templates["bundled"]
    yield from levels(current)
    yield from environments(current)
    yield from labels(current, bundled)
    yield from names(current)
    yield from manifests(current)
    yield from own_templates(current)
    yield from references(current)
    yield from secrets(current)


def levels(current: dict) -> Iterator[dict]:
    """Which of pool, deployment and run has the last word."""
    both = lambda name, ours, theirs: {"name": f"levels: {name}", "deployment_job_variables": ours, "flow_run_job_variables": theirs}  # noqa: E731
    yield both("the run's value wins", {"image": "a:1", "namespace": "one"}, {"image": "b:2"})
    yield both("the run takes a value away", {"image": "a:1"}, {"image": None})
    yield both("env is merged", {"env": {"A": "1", "B": "2"}}, {"env": {"B": "3", "C": "4"}})
    yield both("env of the run deletes", {"env": {"A": "1"}}, {"env": {"A": None}})
    yield both("env null over env", {"env": {"A": "1"}}, {"env": None})
    yield both("env over env null", {"env": None}, {"env": {"A": "1"}})
    yield both("env object over list", {"env": [{"name": "A", "value": "1"}]}, {"env": {"B": "2"}})
    yield both("env list over object", {"env": {"A": "1"}}, {"env": [{"name": "B", "value": "2"}]})
    yield both("labels are replaced", {"labels": {"a": "1"}}, {"labels": {"b": "2"}})
    yield both("annotations are replaced", {"annotations": {"a": "1"}}, {"annotations": {"b": "2"}})
    yield both("unknown names are dropped", {"gpu": 2, "volumes": []}, {"colour": "red"})
    yield both("dotted env", {"env.A": "1"}, {"env.B": "2"})
    yield both("dotted env beside env", {"env": {"A": "nested", "C": "3"}, "env.A": "dotted", "env.B": "2"}, {})
    yield both("dotted env of the run over env", {"env": {"A": "1"}}, {"env.A": "2"})
    yield both("dotted labels", {"labels.team": "x", "labels.app.kubernetes.io/name": "y"}, {})
    yield both("dotted below text", {"image": "a:1", "image.tag": "2"}, {})
    pool = edited(current, ("variables/properties/env/default", {"POOL": "1", "A": "pool"}), ("variables/properties/image/default", "pool:1"))
    yield {"name": "levels: defaults of the pool", "base_job_template": pool}
    yield {"name": "levels: defaults of the pool below all", "base_job_template": pool,
           "deployment_job_variables": {"env": {"A": "deployment", "B": "2"}}, "flow_run_job_variables": {"env": {"B": "run"}, "image": "run:1"}}
    yield {"name": "levels: null over a default of the pool", "base_job_template": pool, "deployment_job_variables": {"image": None, "env": None}}
    fixed = edited(current, ("job_configuration/env", {"FIXED": "1", "A": "configuration"}), ("variables/properties/env/default", {"POOL": "1"}))
    yield {"name": "levels: env written into the configuration", "base_job_template": fixed, "deployment_job_variables": {"env": {"A": "deployment"}}}
    yield {"name": "levels: env written into the configuration, nothing else", "base_job_template": fixed}
    yield {"name": "levels: flow run without deployment", "deployment": None, "flow_run": {"deployment_id": None}, "flow_run_job_variables": {"image": "b:2"}}
    yield {"name": "levels: worker without an id", "worker_id": None}
    yield {"name": "levels: worker with a name of its own", "worker_name": "Worker № 7_b."}


def environments(current: dict) -> Iterator[dict]:
    secret = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tokens", "key": "main"}}}
    field = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    case = lambda name, env, **more: {"name": f"env: {name}", "deployment_job_variables": {"env": env}, **more}  # noqa: E731
    yield case("list of values", [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    yield case("list with valueFrom", [{"name": "A", "value": "1"}, secret, field])
    yield case("list of valueFrom only", [secret])
    yield case("list item with neither is lost", [{"name": "A"}, {"name": "B", "value": "2"}])
    yield case("list item with null value", [{"name": "A", "value": None}, {"name": "PREFECT_API_URL", "value": None}])
    yield case("list item with a number", [{"name": "A", "value": 1}])
    yield case("list item without a name", [{"value": "1"}])
    yield case("list item with value and valueFrom", [{**secret, "value": "plain"}])
    yield case("empty list", [])
    yield case("list replaces a variable of the worker", [{"name": "PREFECT_API_URL", "value": "http://other.example/api"}])
    yield case("valueFrom for a variable of the worker", [{"name": "PREFECT_API_URL", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "u"}}}])
    yield case("object replaces a variable of the worker", {"PREFECT_API_URL": "http://other.example/api", "PREFECT__FLOW_RUN_ID": "mine"})
    yield case("null deletes a variable of the worker", {"PREFECT_API_URL": None, "PREFECT__WORKER_NAME": None})
    yield case("text", "A=1")
    yield case("object in object", {"A": {"b": 1}, "C": [1, 2]})
    yield case("signs in names and values", {"a.b-c": "x", "Q": "quote \" and \\ and\nline", "U": "ü漢"})
    yield case("behaviour on SIGTERM given", {SIGTERM: "crash"})
    yield case("behaviour on SIGTERM empty", {SIGTERM: ""})
    yield case("behaviour on SIGTERM null", {SIGTERM: None})
    yield case("behaviour on SIGTERM from a list", [{"name": SIGTERM, "value": "crash"}, secret])
    yield case("behaviour on SIGTERM from valueFrom", [{"name": SIGTERM, "valueFrom": {"configMapKeyRef": {"name": "c", "key": "s"}}}])
    for limit in (1, "0", None):
        edit = (f"{MANIFEST}/spec/backoffLimit", ABSENT if limit is None else limit)
        said = "absent" if limit is None else repr(limit)
        yield case(f"backoff limit {said} forces relinquish", {SIGTERM: "reschedule"}, base_job_template=edited(current, edit))
        yield case(f"backoff limit {said} forces relinquish over a list", [
            {"name": SIGTERM, "valueFrom": {"configMapKeyRef": {"name": "c", "key": "s"}}}, secret], base_job_template=edited(current, edit))
    hard = [{"name": "HARD", "value": "1"}, {"name": "PREFECT_API_URL", "value": "http://hard.example"}, secret]
    written = edited(current, (f"{CONTAINER}/env", hard))
    yield {"name": "env: written into the manifest", "base_job_template": written}
    yield case("written into the manifest, beside given", {"HARD": "given", "A": "1"}, base_job_template=written)
    yield case("written into the manifest, beside a list", [{"name": "TOKEN", "value": "given"}, field], base_job_template=written)
    yield case("object in the manifest", {"A": "1"}, base_job_template=edited(current, (f"{CONTAINER}/env", {"HARD": "1"})))
    yield case("null in the manifest", {"A": "1"}, base_job_template=edited(current, (f"{CONTAINER}/env", None)))
    yield case("absent from the manifest", {"A": "1"}, base_job_template=edited(current, (f"{CONTAINER}/env", ABSENT)))
    placed = edited(current, (f"{CONTAINER}/env", [{"name": "LEVEL", "value": "{{ level }}"}, {"name": "T", "value": "x-{{ level }}-y"}]),
                    ("variables/properties/level", {"type": "string"}))
    yield {"name": "env: placeholders in the manifest's list", "base_job_template": placed, "deployment_job_variables": {"level": "7"}}
    yield {"name": "env: placeholders in the manifest's list, not given", "base_job_template": placed}
    yield {"name": "env: envFrom is kept", "base_job_template": edited(current, (f"{CONTAINER}/envFrom", [{"configMapRef": {"name": "c"}}]))}
    yield {"name": "env: settings of the worker", "worker_environment": {
        **API, "PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_DEBUG_MODE": "true", "PREFECT_API_ENABLE_HTTP2": "0",
        "PREFECT_CLIENT_CUSTOM_HEADERS": '{"X-Team": "data"}', "PREFECT_WORKER_QUERY_SECONDS": "5", "UNRELATED": "x"}}
    yield {"name": "env: no settings of the worker", "worker_environment": {}}
    yield {"name": "env: old name of a setting", "worker_environment": {**API, "PREFECT_LOGGING_ROOT_LEVEL": "INFO", "PREFECT_API_KEY": "pnu_1"}}
    yield {"name": "env: key and auth string in plain text", "worker_environment": {**API, "PREFECT_API_KEY": "pnu_1", "PREFECT_API_AUTH_STRING": "u:p"}}


def labels(current: dict, bundled: dict) -> Iterator[dict]:
    given = {
        "upper/Case": "Ok", "under_score": "a_b", "dots.in.key": "v1.2.3", "-trim-": "_trim_", "___": "___", "long" * 20: "v" * 80,
        "prefix " * 50 + "/name": "x", "日本": "日本", "a/b/c": "1", "/lead": "x", "trail/": "y", "iso": "2026-01-01T00:00:00+00:00",
        "amp": "a&amp;b &#65; &nbsp;", "comma": "1,000,000 a,b", "quote": "it's \"so\"", "straße": "Größe ß Ø æ", "emoji": "🚀 go", "empty": "",
        "cyrillic": "Привет мир", "number": "0012", "dash": "a--b__c..d", "arab": "مرحبا", "slash": "a/b\\c", "tab": "a\tb\nc",
    }
    for name, value in given.items():
        yield {"name": f"labels: {name.strip()[:24]}", "deployment_job_variables": {"labels": {name: value}}}
    yield {"name": "labels: all together", "deployment_job_variables": {"labels": given}}
    yield {"name": "annotations: all together", "deployment_job_variables": {"annotations": given}}
    yield {"name": "labels: two that become one", "deployment_job_variables": {"labels": {"a b": "1", "a!b": "2", "a-b": "3"}}}
    yield {"name": "labels: number as value", "deployment_job_variables": {"labels": {"a": 1}}}
    yield {"name": "labels: null as value", "deployment_job_variables": {"labels": {"a": None}}}
    yield {"name": "annotations: true as value", "deployment_job_variables": {"annotations": {"a": True}}}
    yield {"name": "labels: over the worker's own", "deployment_job_variables": {"labels": {"prefect.io/flow-name": "mine", "app.kubernetes.io/name": "me"}}}
    own = edited(current, (f"{MANIFEST}/metadata/labels", {"Fixed Key": "Fixed Value", "prefect.io/flow-name": "written"}),
                 (f"{MANIFEST}/metadata/annotations", {"Fixed Key": "Any value", "a": "written"}))
    yield {"name": "labels: written into the manifest", "base_job_template": own, "deployment_job_variables": {"labels": {"b": "2"}, "annotations": {"a": "1"}}}
    pod = edited(current, (f"{MANIFEST}/spec/template/metadata", {"labels": {"Pod Key": "Pod Value"}, "annotations": {"Pod Note": "x", "a": "pod"}, "name": "kept"}))
    yield {"name": "labels: of the pod", "base_job_template": pod}
    yield {"name": "labels: of the pod, beside given", "base_job_template": pod, "deployment_job_variables": {"labels": {"b": "2"}, "annotations": {"a": "1"}}}
    yield {"name": "labels: null in the pod", "base_job_template": edited(current, (f"{MANIFEST}/spec/template/metadata", {"labels": None}))}
    yield {"name": "labels: null in the manifest", "base_job_template": edited(current, (f"{MANIFEST}/metadata/labels", None))}
    noted = edited(bundled, (f"{MANIFEST}/metadata/annotations", {"n": "1"}))
    yield {"name": "annotations: written into the bundled template", "base_job_template": noted}
    odd = {"flow": {"name": "My Flow: ETL 2 (größe)"}, "deployment": {"name": "Daily @ 5 a.m."}, "work_pool": {"name": "Pool Nr. 1"}}
    yield {"name": "labels: odd names of flow, deployment and pool", **odd}


def names(current: dict) -> Iterator[dict]:
    for name in ("Amber_Otter!", "日本", "🚀", "-dash-", "a" * 60, "UPPER.case v1.2", "1st run", "x/y", "{{ ctx.flow.name }}", "ends-at-forty-five-characters-and-then-a---b"):
        yield {"name": f"names: run called {name[:28]}", "flow_run": {"name": name}}
    for template in ("{{ ctx.flow.name }}", "{{ctx.flow_run.name}}", "{{ ctx.flow_run.parameters.size }}", "{{ ctx.flow_run.tags[0] }}", "{{ ctx.flow_run.parameters }}",
                     "{{ ctx.flow_run.none }}-x", "{{ ctx.deployment.name }}", "{{ flow_run.name }}", "{{ name }}", "{{ $HOST }}-{{ ctx.flow.name }}"):
        yield {"name": f"names: template {template}", "deployment_job_variables": {"name": template}, "worker_environment": {**API, "HOST": "west"}}
    for given in ("fixed-", "{{ name }}", "job-{{ name }}-", "", "-", "None-", None, "{{ unknown }}-", "{{ name }}-{{ namespace }}-"):
        yield {"name": f"names: generateName {given!r}", "base_job_template": edited(current, (f"{MANIFEST}/metadata/generateName", given))}
        if given and "{{ name }}" in given:
            yield {"name": f"names: generateName {given!r}, named", "base_job_template": edited(current, (f"{MANIFEST}/metadata/generateName", given)), "deployment_job_variables": {"name": "given"}}
    yield {"name": "names: no generateName", "base_job_template": edited(current, (f"{MANIFEST}/metadata/generateName", ABSENT))}
    yield {"name": "names: a name in the manifest", "base_job_template": edited(current, (f"{MANIFEST}/metadata/name", "only-one"))}


def manifests(current: dict) -> Iterator[dict]:
    case = lambda name, *changes, **more: {"name": f"manifest: {name}", "base_job_template": edited(current, *changes), **more}  # noqa: E731
    for part in ("metadata", "metadata/labels", "metadata/annotations", "metadata/namespace"):
        yield case(f"without {part}", (f"{MANIFEST}/{part}", ABSENT))
        yield case(f"null as {part}", (f"{MANIFEST}/{part}", None))
    for part in ("apiVersion", "kind", "spec", "spec/template", "spec/template/spec", "spec/template/spec/containers", "spec/template/spec/parallelism",
                 "spec/template/spec/completions", "spec/template/spec/restartPolicy", "spec/template/spec/containers/0/name"):
        yield case(f"without {part}", (f"{MANIFEST}/{part}", ABSENT))
    yield case("without three of them", (f"{MANIFEST}/kind", ABSENT), (f"{POD}/completions", ABSENT), (f"{POD}/parallelism", ABSENT))
    for part, value in {"apiVersion": "batch/v2", "kind": "CronJob", "spec/template/spec/parallelism": 2, "spec/template/spec/completions": "1",
                        "spec/template/spec/restartPolicy": "OnFailure", "spec/template/spec/containers/0/name": "main",
                        "spec/template/spec/containers": []}.items():
        yield case(f"{part} is {value!r}", (f"{MANIFEST}/{part}", value))
    yield case("two wrong values", (f"{MANIFEST}/kind", "Pod"), (f"{POD}/restartPolicy", "Always"))
    yield case("one missing and one wrong", (f"{MANIFEST}/kind", "Pod"), (f"{POD}/restartPolicy", ABSENT))
    yield case("completions is 1.0", (f"{POD}/completions", 1.0))
    yield case("parallelism is true", (f"{POD}/parallelism", True))
    yield case("another namespace written in", (f"{MANIFEST}/metadata/namespace", "elsewhere"))
    main = current["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]["containers"][0]
    yield case("sidecar after", (f"{POD}/containers", [main, {"name": "side", "image": "proxy:1", "env": [{"name": "S", "value": "1"}]}]))
    yield case("sidecar before", (f"{POD}/containers", [{"name": "side", "image": "proxy:1"}, main]))
    yield case("init containers", (f"{POD}/initContainers", [{"name": "fetch", "image": "git:1", "command": ["git", "clone"]}]))
    yield case("volumes", (f"{POD}/volumes", [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]), (f"{CONTAINER}/volumeMounts", [{"name": "data", "mountPath": "/data"}]))
    yield case("tolerations, node selector, affinity", (f"{POD}/tolerations", [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]),
               (f"{POD}/nodeSelector", {"disk": "ssd"}), (f"{POD}/affinity", {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}))
    yield case("pull secrets, security context, priority", (f"{POD}/imagePullSecrets", [{"name": "harbor"}]), (f"{POD}/securityContext", {"runAsNonRoot": True, "runAsUser": 1000}),
               (f"{POD}/priorityClassName", "high"), (f"{POD}/terminationGracePeriodSeconds", 90), (f"{POD}/hostNetwork", True))
    yield case("deadline, policies, suspend", (f"{MANIFEST}/spec/activeDeadlineSeconds", 3600), (f"{MANIFEST}/spec/podFailurePolicy", {"rules": []}), (f"{MANIFEST}/spec/suspend", False))
    yield case("keys that nobody knows", (f"{MANIFEST}/x-own", {"a": 1}), (f"{POD}/futureField", [None, 1.5, {"b": None}]), (f"{CONTAINER}/other", ""))
    yield case("command of the container is kept", (f"{CONTAINER}/command", ["tini", "--"]), deployment_job_variables={"command": "python run.py"})
    yield case("image absent", (f"{CONTAINER}/image", ABSENT))
    yield case("image null", (f"{CONTAINER}/image", None))
    yield case("image written in", (f"{CONTAINER}/image", "fixed:1"), deployment_job_variables={"image": "given:1"})
    yield case("image in pieces", (f"{CONTAINER}/image", "registry.example/{{ image }}:{{ namespace }}"), deployment_job_variables={"image": "flows"})
    for args in (ABSENT, None, "python 'a b' \"c\" # d", ["a", "b"], [], "", 5, {"a": 1}, "unbalanced 'quote"):
        said = "absent" if args is ABSENT else repr(args)
        yield case(f"args {said}", (f"{CONTAINER}/args", args))
    yield case("args in a list with placeholders", (f"{CONTAINER}/args", ["run", "{{ command }}", "{{ image }}", "x{{ image }}"]), deployment_job_variables={"command": "do it"})
    yield case("limits without braces", (f"{CONTAINER}/resources", {"limits": {"memory": "{{ memory_limit }}", "nvidia.com/gpu": 1}}))


def own_templates(current: dict) -> Iterator[dict]:
    gpu = edited(current, ("variables/properties/gpus", {"type": "integer", "default": 1}), ("variables/properties/gpu_types", {"type": "array", "default": ["a100", "h100"]}),
                 (f"{CONTAINER}/resources/limits", {"nvidia.com/gpu": "{{ gpus }}"}),
                 (f"{POD}/affinity", {"nodeAffinity": {"terms": [{"key": "gpu", "operator": "In", "values": "{{ gpu_types }}"}]}}))
    case = lambda name, template, **values: {"name": f"own: {name}", "base_job_template": template, "deployment_job_variables": values}  # noqa: E731
    yield case("gpus by default", gpu)
    yield case("gpus given", gpu, gpus=4, gpu_types=["l4"])
    yield case("gpus null", gpu, gpus=None, gpu_types=None)
    yield case("gpu types empty", gpu, gpu_types=[])
    volumes = edited(current, ("variables/properties/volumes", {"type": "array"}), ("variables/properties/mounts", {"type": "array"}),
                     (f"{POD}/volumes", "{{ volumes }}"), (f"{CONTAINER}/volumeMounts", "{{ mounts }}"))
    yield case("volumes given", volumes, volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}], mounts=[{"name": "v", "mountPath": "/v"}])
    yield case("volumes not given", volumes)
    listed = edited(current, ("variables/properties/secret", {"type": "string"}), ("variables/properties/more", {"type": "array"}),
                    (f"{POD}/imagePullSecrets", [{"name": "fixed"}, {"name": "{{ secret }}"}]), (f"{POD}/tolerations", ["{{ secret }}", "{{ more }}", "kept"]))
    yield case("list elements not given", listed)
    yield case("list elements given", listed, secret="s", more=[{"key": "k"}])
    yield case("list elements null", listed, secret=None, more=None)
    deep = edited(current, ("variables/properties/pod", {"type": "object", "default": {"tier": "batch", "rules": [{"name": "first"}]}}),
                  (f"{POD}/nodeSelector", {"tier": "{{ pod.tier }}", "rule": "{{ pod.rules[0].name }}", "no": "{{ pod.nothing }}", "text": "t-{{ pod.nothing }}"}))
    yield case("paths into values", deep)
    yield case("paths into values given", deep, pod={"tier": "web", "rules": []})
    text = edited(current, ("variables/properties/n", {"type": "integer"}), (f"{POD}/hostname", "h-{{ n }}-{{n}}-{{  n  }}"), (f"{POD}/nodeSelector", {"{{ n }}": "key", "v": "{{ n }} "}))
    for value in (7, 1.5, True, None, ["a", 1], {"k": "v"}, "{{ n }}", ""):
        yield case(f"inside of text {value!r}", text, n=value)
    yield case("inside of text, not given", text)
    bare = edited(current, ("job_configuration/stream_output", ABSENT), ("job_configuration/cluster_config", ABSENT), ("job_configuration/name", ABSENT),
                  ("job_configuration/command", ABSENT), ("job_configuration/labels", ABSENT), ("job_configuration/namespace", ABSENT), ("job_configuration/env", ABSENT))
    yield case("configuration with little in it", bare, env={"A": "1"}, command="run", namespace="flows")
    yield case("configuration with keys that nobody knows", edited(current, ("job_configuration/colour", "{{ image }}"), ("job_configuration/list", [1])))
    yield case("configuration without a manifest", edited(current, ("job_configuration/job_manifest", ABSENT)))
    yield {"name": "own: no variables", "base_job_template": {"job_configuration": current["job_configuration"]}}
    yield case("variables without properties", edited(current, ("variables", {"type": "object"})), image="a:1")
    yield case("manifest is text", edited(current, ("job_configuration/job_manifest", "{{ image }}")), image="a:1")
    yield case("namespace written into the configuration", edited(current, ("job_configuration/namespace", "fixed")), namespace="given")
    yield case("namespace null in the pool's default", edited(current, ("variables/properties/namespace/default", None)))
    yield case("labels written into the configuration", edited(current, ("job_configuration/labels", {"Own Key": "{{ namespace }}"})), labels={"a": "1"})


def references(current: dict) -> Iterator[dict]:
    case = lambda name, **values: {"name": f"references: {name}", "deployment_job_variables": values}  # noqa: E731
    yield case("variable", image="{{ prefect.variables.team }}")
    yield case("variable inside of text", image="reg/{{ prefect.variables.team }}:{{ prefect.variables.size }}")
    yield case("variable that is missing", image="{{ prefect.variables.nobody }}", service_account_name="x-{{ prefect.variables.nobody }}")
    yield case("variable that is a number", backoff_limit="{{ prefect.variables.size }}")
    yield case("variable that is an object", labels="{{ prefect.variables.options }}", namespace="{{ prefect.variables.options.zone }}")
    yield case("variable that is a list", command="{{ prefect.variables.list }}")
    yield case("block with a value only", env={"TOKEN": "{{ prefect.blocks.secret.token }}"})
    yield case("block's field", env={"REGION": "{{ prefect.blocks.aws-credentials.robot.region_name }}"})
    yield case("block's deep field", memory_limit="{{ prefect.blocks.json.nested.value.limits.memory }}", cpu_limit="{{ prefect.blocks.json.nested.cpu }}")
    yield case("block inside of text", image="reg/{{ prefect.blocks.secret.token }}:1")
    yield case("object block inside of text", image="reg/{{ prefect.blocks.aws-credentials.robot }}:1")
    yield case("block that is missing", image="{{ prefect.blocks.secret.nobody }}")
    yield case("block by its id", cluster_config={"$ref": {"block_document_id": CLUSTER_BLOCK}})
    yield case("block as cluster", cluster_config="{{ prefect.blocks.kubernetes-cluster-config.west }}")
    yield {**case("worker's environment", image="{{ $IMAGE }}", service_account_name="sa-{{ $ACCOUNT }}"), "worker_environment": {**API, "IMAGE": "env:1", "ACCOUNT": "seven"}}
    yield case("worker's environment, missing", image="{{ $IMAGE_THAT_IS_NOT_SET }}", service_account_name="sa-{{ $ACCOUNT_THAT_IS_NOT_SET }}")
    placed = edited(current, (f"{CONTAINER}/image", "{{ $IMAGE }}"), (f"{POD}/hostname", "h-{{ $IMAGE }}"), (f"{POD}/subdomain", "{{ $NOT_SET }}"))
    yield {"name": "references: worker's environment in the template", "base_job_template": placed, "worker_environment": {**API, "IMAGE": "env:1"}}
    written = edited(current, (f"{POD}/hostname", "{{ prefect.variables.team }}"), (f"{POD}/subdomain", "{{ prefect.blocks.secret.token }}"))
    yield {"name": "references: in the template", "base_job_template": written}
    yield case("run's context outside of the name", image="{{ ctx.flow.name }}:1", labels={"run": "{{ ctx.flow_run.name }}"})
    yield case("one variable in another's value", image="{{ namespace }}:1", namespace="flows")
    yield case("braces that are none", image="{ image }", command="echo {{}} {{ }} {{ a b }} ${HOME}", labels={"a": "{{{ x }}}"})


def secrets(current: dict) -> Iterator[dict]:
    def case(name: str, more: dict, **rest: object) -> dict:
        return {"name": f"secrets: {name}", "worker_environment": {**API, "PREFECT_API_KEY": "pnu_1", "PREFECT_API_AUTH_STRING": "user:pass", **more}, **rest}

    named = {f"{SECRET}API_KEY_SECRET_NAME": "keys", f"{SECRET}API_KEY_SECRET_KEY": "main"}
    auth = {f"{SECRET}API_AUTH_STRING_SECRET_NAME": "auth", f"{SECRET}API_AUTH_STRING_SECRET_KEY": "string"}
    made, store = {f"{SECRET}CREATE_SECRET_FOR_API_KEY": "true"}, {f"{SECRET}STORE_ENV_AS_SECRET": "true"}
    yield case("key by name", named)
    yield case("key by name without key", {f"{SECRET}API_KEY_SECRET_NAME": "keys"})
    yield case("key's key without name", {f"{SECRET}API_KEY_SECRET_KEY": "main"})
    yield case("key by name where there is none", {**named, "PREFECT_API_KEY": ""})
    yield case("key made", made)
    yield case("key made again", made, existing_secrets=["prefect-kubernetesworker-one-api-key"])
    yield case("key made by its old name", {"PREFECT_KUBERNETES_WORKER_STORE_PREFECT_API_IN_SECRET": "1"})
    yield case("key made in another namespace", made, deployment_job_variables={"namespace": "flows"}, worker_name="Ö worker 2")
    yield case("key named and made", {**named, **made})
    yield case("key taken away by the deployment", made, deployment_job_variables={"env": {"PREFECT_API_KEY": None}})
    yield case("key replaced by the deployment", made, deployment_job_variables={"env": {"PREFECT_API_KEY": "pnu_other"}})
    yield case("auth string by name", auth)
    yield case("auth string by name without key", {f"{SECRET}API_AUTH_STRING_SECRET_NAME": "auth"})
    yield case("both by name", {**named, **auth})
    yield case("environment stored", store)
    yield case("environment stored, key by name", {**store, **named, **auth})
    yield case("environment stored, key made", {**store, **made})
    yield case("environment stored beside valueFrom and envFrom", store, deployment_job_variables={
        "env": [{"name": "A", "value": "1"}, {"name": "T", "valueFrom": {"secretKeyRef": {"name": "t", "key": "k"}}}], "namespace": "flows"},
        base_job_template=edited(current, (f"{CONTAINER}/envFrom", [{"configMapRef": {"name": "c"}}])))
    yield case("environment stored with a name", store, deployment_job_variables={"name": "My Job"})
    yield case("environment stored, name in the manifest", store, base_job_template=edited(current, (f"{MANIFEST}/metadata/name", "only-one"), (f"{MANIFEST}/metadata/generateName", ABSENT)))
    yield case("environment stored, items without value", store, base_job_template=edited(current, (f"{CONTAINER}/env", [{"name": "NOTHING"}, {"name": "N", "value": None}])))
