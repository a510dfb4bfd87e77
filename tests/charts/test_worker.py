"""The chart tidegate-worker, value by value."""

from __future__ import annotations

import json

import pytest

FIRST = ["worker", "start", "--type", "kubernetes", "--pool", "k8s"]


def test_defaults(worker) -> None:
    objects = worker()
    deployment = objects.one("Deployment")
    assert deployment["metadata"]["name"] == "tidegate-worker"
    assert deployment["metadata"]["namespace"] == "tidegate"
    assert deployment["spec"]["replicas"] == 1
    assert objects.container()["args"] == FIRST
    assert objects.container()["image"] == "tidegate:0.1.0"
    assert "command" not in objects.container()
    assert "envFrom" not in objects.container()
    assert "initContainers" not in objects.pod()
    assert objects.environment()["PREFECT_API_URL"] == "http://tidegate/api"
    assert objects.environment()["PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES"] == "tidegate"
    kinds = {found["kind"] for found in objects.all}
    assert kinds == {"Deployment", "ServiceAccount", "Role", "RoleBinding", "Pod"}


def test_pods_may_run_where_only_restricted_ones_may(worker) -> None:
    objects = worker()
    pod, container = objects.pod(), objects.container()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    # What is written goes to a volume.
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp"}


@pytest.mark.parametrize(
    ("values", "extra"),
    [
        ({"worker.config.workQueues": ["high", "low"]}, ["--work-queue", "high", "--work-queue", "low"]),
        ({"worker.config.limit": 4}, ["--limit", "4"]),
        ({"worker.config.name": "{{ .Release.Name }}-a"}, ["--name", "tidegate-worker-a"]),
        ({"worker.livenessProbe.enabled": True}, ["--with-healthcheck"]),
        ({"worker.extraArgs": ["--run-once"]}, ["--run-once"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_arguments(worker, values, extra) -> None:
    assert worker(values).container()["args"] == [*FIRST, *extra]


def test_arguments_in_their_order(worker) -> None:
    values = {"worker.config.workQueues": ["q"], "worker.config.limit": 2, "worker.livenessProbe.enabled": True, "worker.config.name": "n",
              "worker.config.baseJobTemplate.existingConfigMapName": "t", "worker.extraArgs": ["--run-once"]}  # fmt: skip
    assert worker(values).container()["args"][len(FIRST):] == [
        "--work-queue", "q", "--limit", "2", "--with-healthcheck", "--name", "n",
        "--base-job-template", "/etc/tidegate/baseJobTemplate.json", "--run-once",
    ]  # fmt: skip


def test_type_args_and_command(worker) -> None:
    assert worker({"worker.config.type": "process"}).container()["args"][3] == "process"
    replaced = worker({"worker.args": ["worker", "start"], "worker.command": ["/sbin/tini"]}).container()
    assert (replaced["args"], replaced["command"]) == (["worker", "start"], ["/sbin/tini"])


@pytest.mark.parametrize(
    ("values", "variable", "expected"),
    [
        ({"worker.config.prefetchSeconds": 3}, "PREFECT_WORKER_PREFETCH_SECONDS", "3"),
        ({"worker.config.queryInterval": 7}, "PREFECT_WORKER_QUERY_SECONDS", "7"),
        ({"worker.config.http2": False}, "PREFECT_API_ENABLE_HTTP2", "false"),
        ({"worker.clusterUid": "u-1"}, "PREFECT_INTEGRATIONS_KUBERNETES_CLUSTER_UID", "u-1"),
        ({"worker.image.debug": True}, "PREFECT_DEBUG_MODE", "true"),
        ({"worker.config.namespaces": ["a", "b"]}, "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES", "tidegate,a,b"),
        ({"worker.config.jobNamespace": "a, tidegate"}, "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES", "tidegate,a"),
        ({"worker.extraEnvVars": [{"name": "A", "value": "{{ .Release.Namespace }}"}]}, "A", "tidegate"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_environment(worker, values, variable, expected) -> None:
    assert worker().environment().get(variable) != expected
    assert worker(values).environment()[variable] == expected


def test_absent_variables(worker) -> None:
    absent = {"PREFECT_INTEGRATIONS_KUBERNETES_CLUSTER_UID", "PREFECT_DEBUG_MODE", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"}
    assert not absent & set(worker().environment())
    assert "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES" not in worker({"worker.config.observerClusterWide": True}).environment()


def test_variables_from_config_maps_and_secrets(worker) -> None:
    found = worker({"worker.extraEnvVarsCMs": ["a", "{{ .Release.Name }}"], "worker.extraEnvVarsCM": "b",
                    "worker.extraEnvVarsSecrets": ["c"], "worker.extraEnvVarsSecret": "d"}).container()["envFrom"]  # fmt: skip
    names = [next(iter(each.values()))["name"] for each in found]
    assert names == ["a", "tidegate-worker", "b", "c", "d"]
    assert [next(iter(each)) for each in found] == ["configMapRef"] * 3 + ["secretRef"] * 2


CLOUD = {"worker.apiConfig": "cloud", "worker.cloudApiConfig.accountId": "acc", "worker.cloudApiConfig.workspaceId": "ws"}


def test_hosted_api(worker) -> None:
    environment = worker(CLOUD).environment()
    assert environment["PREFECT_API_URL"] == "https://api.prefect.cloud/api/accounts/acc/workspaces/ws"
    assert environment["PREFECT_API_KEY"] == {"secretKeyRef": {"name": "prefect-api-key", "key": "key"}}
    assert environment["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_KEY_SECRET_NAME"] == "prefect-api-key"
    assert environment["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_KEY_SECRET_KEY"] == "key"
    other = worker({**CLOUD, "worker.cloudApiConfig.cloudUrl": "https://t.example/api",
                    "worker.cloudApiConfig.apiKeySecret": {"name": "n", "key": "api-key"}}).environment()  # fmt: skip
    assert other["PREFECT_API_URL"] == "https://t.example/api/accounts/acc/workspaces/ws"
    assert other["PREFECT_API_KEY"] == {"secretKeyRef": {"name": "n", "key": "api-key"}}


def test_how_flow_runs_get_the_key(worker) -> None:
    auto = worker({**CLOUD, "worker.cloudApiConfig.jobApiKeyPropagation": "autoSecret"}).environment()
    assert auto["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_CREATE_SECRET_FOR_API_KEY"] == "true"
    assert "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_KEY_SECRET_NAME" not in auto
    plain = worker({**CLOUD, "worker.cloudApiConfig.jobApiKeyPropagation": "envVar"}).environment()
    assert not [name for name in plain if name.startswith("PREFECT_INTEGRATIONS_KUBERNETES_WORKER")]


def test_an_api_of_ones_own_with_account_and_workspace(worker) -> None:
    own = {"worker.apiConfig": "customerManagedCloud", "worker.customerManagedCloudApiConfig.accountId": "acc",
           "worker.customerManagedCloudApiConfig.workspaceId": "ws", "worker.customerManagedCloudApiConfig.apiUrl": "https://own/api",
           "worker.customerManagedCloudApiConfig.cloudApiUrl": "https://own/api"}  # fmt: skip
    environment = worker(own).environment()
    assert environment["PREFECT_API_URL"] == "https://own/api/accounts/acc/workspaces/ws"
    assert environment["PREFECT_CLOUD_API_URL"] == "https://own/api"
    assert "PREFECT_CLOUD_UI_URL" not in environment
    assert worker({**own, "worker.customerManagedCloudApiConfig.cloudUiUrl": "https://ui"}).environment()["PREFECT_CLOUD_UI_URL"] == "https://ui"


def test_auth_string(worker) -> None:
    section = "worker.selfHostedServerApiConfig.basicAuth"
    assert worker({f"{section}.enabled": True, f"{section}.authString": "u:p"}).environment()["PREFECT_API_AUTH_STRING"] == "u:p"
    secret = worker({f"{section}.enabled": True, f"{section}.existingSecret": "s"}).environment()
    assert secret["PREFECT_API_AUTH_STRING"] == {"secretKeyRef": {"name": "s", "key": "auth-string"}}
    assert secret["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET_NAME"] == "s"
    assert secret["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET_KEY"] == "auth-string"


TEMPLATE = {"variables": {"type": "object"}, "job_configuration": {"namespace": "{{ namespace }}"}}


@pytest.mark.parametrize("written", [TEMPLATE, json.dumps(TEMPLATE)], ids=["object", "text"])
def test_base_job_template(worker, written) -> None:
    objects = worker({"worker.config.baseJobTemplate.configuration": written})
    config_map = objects.one("ConfigMap")
    assert config_map["metadata"]["name"] == "tidegate-worker-base-job-template"
    assert json.loads(config_map["data"]["baseJobTemplate.json"]) == TEMPLATE
    pod = objects.pod()
    assert pod["initContainers"][0]["args"] == [
        "work-pool", "create", "k8s", "--type", "kubernetes", "--base-job-template", "/etc/tidegate/baseJobTemplate.json", "--overwrite",
    ]  # fmt: skip
    assert {"name": "base-job-template", "configMap": {"name": "tidegate-worker-base-job-template"}} in pod["volumes"]
    for container in (pod["containers"][0], pod["initContainers"][0]):
        assert {"name": "base-job-template", "mountPath": "/etc/tidegate", "readOnly": True} in container["volumeMounts"]


def test_a_changed_template_restarts_the_worker(worker) -> None:
    def checksum(text: str) -> str:
        found = worker({"worker.config.baseJobTemplate.configuration": text}).one("Deployment")
        return found["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum("{}") == checksum("{}") != checksum('{"a": 1}')


def test_base_job_template_from_a_file(worker, tmp_path) -> None:
    (tmp_path / "template.json").write_text(json.dumps(TEMPLATE, indent=2))
    objects = worker({}, "--set-file", f"worker.config.baseJobTemplate.configuration={tmp_path}/template.json")
    assert json.loads(objects.one("ConfigMap")["data"]["baseJobTemplate.json"]) == TEMPLATE


def test_base_job_template_that_is_there_or_has_a_name(worker) -> None:
    existing = worker({"worker.config.baseJobTemplate.existingConfigMapName": "mine"})
    assert not existing.of("ConfigMap")
    assert {"name": "base-job-template", "configMap": {"name": "mine"}} in existing.pod()["volumes"]
    named = worker({"worker.config.baseJobTemplate.configuration": "{}", "worker.config.baseJobTemplate.name": "other"})
    assert named.one("ConfigMap")["metadata"]["name"] == "other"


def test_init_container(worker) -> None:
    base = {"worker.config.baseJobTemplate.configuration": "{}", "worker.extraEnvVars": [{"name": "A", "value": "1"}],
            "worker.extraEnvVarsSecrets": ["ca"]}  # fmt: skip
    plain = worker(base).pod()
    init, main = plain["initContainers"][0], plain["containers"][0]
    assert init["resources"] == main["resources"] and init["securityContext"] == main["securityContext"]
    assert {"name": "A", "value": "1"} in init["env"] and init["envFrom"] == main["envFrom"]
    other = worker({**base, "worker.initContainer.resources": {"limits": {"cpu": "1"}},
                    "worker.initContainer.containerSecurityContext": {"runAsUser": 5},
                    "worker.initContainer.extraEnvVars": [{"name": "B", "value": "2"}],
                    "worker.initContainer.extraContainers": [{"name": "wait", "image": "busybox"}]}).pod()["initContainers"]  # fmt: skip
    assert other[0]["resources"] == {"limits": {"cpu": "1"}} and other[0]["securityContext"] == {"runAsUser": 5}
    assert {"name": "B", "value": "2"} in other[0]["env"]
    assert other[1]["name"] == "wait"


@pytest.mark.parametrize(
    ("value", "given", "field"),
    [
        ("priorityClassName", "high", "priorityClassName"),
        ("dnsPolicy", "Default", "dnsPolicy"),
        ("hostNetwork", True, "hostNetwork"),
        ("terminationGracePeriodSeconds", 0, "terminationGracePeriodSeconds"),
        ("affinity", {"nodeAffinity": {}}, "affinity"),
        ("nodeSelector", {"a": "b"}, "nodeSelector"),
        ("tolerations", [{"key": "k", "operator": "Exists"}], "tolerations"),
        ("podSecurityContext", {"fsGroup": 5}, "securityContext"),
    ],
)
def test_pod(worker, value, given, field) -> None:
    found = worker({f"worker.{value}": given}).pod()[field]
    assert found == given or found | given == found
    if value != "podSecurityContext":
        assert field not in worker().pod()


@pytest.mark.parametrize(
    ("value", "given", "field"),
    [
        ("resources", {"limits": {"cpu": "2"}}, "resources"),
        ("containerSecurityContext", {"runAsUser": 7}, "securityContext"),
        ("lifecycle", {"preStop": {"sleep": {"seconds": 1}}}, "lifecycle"),
        ("image.pullPolicy", "Always", "imagePullPolicy"),
    ],
)
def test_container(worker, value, given, field) -> None:
    found = worker({f"worker.{value}": given}).container()[field]
    assert found == given or all(found[key] == given[key] or found[key].items() >= given[key].items() for key in given)


def test_image(worker) -> None:
    objects = worker({"worker.image.repository": "harbor.example/x/tidegate", "worker.image.tag": "2", "worker.image.pullSecrets": ["creds"]})
    assert objects.container()["image"] == "harbor.example/x/tidegate:2"
    assert objects.pod()["imagePullSecrets"] == [{"name": "creds"}]
    assert "imagePullSecrets" not in worker().pod()


def test_dns_config_has_only_what_was_said(worker) -> None:
    assert "dnsConfig" not in worker().pod()
    options = [{"name": "ndots", "value": "2"}, {"name": "edns0"}]
    assert worker({"worker.dnsConfig.options": options}).pod()["dnsConfig"] == {"options": options}


def test_topology_spread_is_of_the_workers_own_pods(worker) -> None:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    objects = worker({"worker.topologySpreadConstraints": [constraint]})
    selector = objects.one("Deployment")["spec"]["selector"]
    assert objects.pod()["topologySpreadConstraints"] == [{**constraint, "labelSelector": selector}]
    own = {**constraint, "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "x"}}}
    found = worker({"worker.topologySpreadConstraints": [own]}).pod()["topologySpreadConstraints"][0]
    assert found["labelSelector"]["matchLabels"]["app.kubernetes.io/name"] == "x"


def test_extra_containers_volumes_and_mounts(worker) -> None:
    objects = worker({"worker.extraContainers": [{"name": "{{ .Release.Name }}-side", "image": "i"}],
                      "worker.extraVolumes": [{"name": "v", "emptyDir": {}}],
                      "worker.extraVolumeMounts": [{"name": "v", "mountPath": "/v"}]})  # fmt: skip
    assert objects.pod()["containers"][1]["name"] == "tidegate-worker-side"
    assert {"name": "v", "emptyDir": {}} in objects.pod()["volumes"]
    assert {"name": "v", "mountPath": "/v"} in objects.container()["volumeMounts"]


def test_labels_and_annotations(worker) -> None:
    objects = worker({"commonLabels": {"team": "{{ .Release.Name }}"}, "commonAnnotations": {"a": "b"},
                      "worker.podLabels": {"p": "q"}, "worker.podAnnotations": {"r": "s"}})  # fmt: skip
    for found in objects.all:
        assert found["metadata"]["labels"]["team"] == "tidegate-worker", found["kind"]
        assert found["metadata"]["annotations"]["a"] == "b", found["kind"]
        assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        assert found["metadata"]["labels"]["app.kubernetes.io/component"] == "worker"
    template = objects.one("Deployment")["spec"]["template"]["metadata"]
    assert template["labels"]["p"] == "q" and template["annotations"] == {"r": "s"} and "team" not in template["labels"]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "tidegate-worker"),
        ({"fullnameOverride": "other"}, "other"),
        ({"fullnameOverride": "", "nameOverride": "w"}, "tidegate-worker"),
        ({"fullnameOverride": "", "nameOverride": "gate-work"}, "tidegate-worker"),
        ({"fullnameOverride": "", "nameOverride": "zz"}, "tidegate-worker-zz"),
    ],
)
def test_names(worker, values, name) -> None:
    assert worker(values).one("Deployment")["metadata"]["name"] == name


def test_namespace_override(worker) -> None:
    objects = worker({"namespaceOverride": "else"})
    assert {found["metadata"]["namespace"] for found in objects.all} == {"else"}
    assert objects.of("RoleBinding")[0]["subjects"][0]["namespace"] == "else"


def test_replicas_and_history(worker) -> None:
    spec = worker({"worker.replicaCount": 3, "worker.revisionHistoryLimit": 2, "worker.strategy": {"type": "Recreate"}}).one("Deployment")["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["strategy"]["type"]) == (3, 2, "Recreate")


def test_autoscaling(worker) -> None:
    objects = worker({"worker.autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 5, "targetCPUUtilizationPercentage": 60,
                                             "targetMemoryUtilizationPercentage": None}})  # fmt: skip
    assert "replicas" not in objects.one("Deployment")["spec"]
    spec = objects.one("HorizontalPodAutoscaler")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 5)
    cpu = [metric for metric in spec["metrics"] if metric["resource"]["name"] == "cpu"]
    assert cpu[0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}


def test_keda_scales_by_late_runs_of_a_queue(worker) -> None:
    objects = worker({"worker.keda": {"enabled": True, "workQueueId": "q", "lateRunsPerReplica": 5, "maxReplicas": 9, "authenticationRef": "ref"}})
    assert "replicas" not in objects.one("Deployment")["spec"]
    spec = objects.one("ScaledObject")["spec"]
    assert spec["scaleTargetRef"] == {"name": "tidegate-worker"} and spec["maxReplicaCount"] == 9
    trigger = spec["triggers"][0]
    assert trigger["metadata"] == {"url": "http://tidegate/api/work_queues/q/status", "valueLocation": "late_runs_count", "targetValue": "5",
                                   "authMode": "bearer"}  # fmt: skip
    assert trigger["authenticationRef"] == {"name": "ref"}
    own = worker({"worker.keda": {"enabled": True, "triggers": [{"type": "cron"}]}}).one("ScaledObject")
    assert own["spec"]["triggers"] == [{"type": "cron"}]


def test_disruption_budget(worker) -> None:
    assert not worker().of("PodDisruptionBudget")
    objects = worker({"worker.podDisruptionBudget": {"maxUnavailable": 1}})
    spec = objects.one("PodDisruptionBudget")["spec"]
    assert spec["maxUnavailable"] == 1
    labels = objects.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert labels["prefect.io/worker-deployment-name"] == "tidegate-worker"
    assert spec["selector"]["matchLabels"].items() <= labels.items()


def test_liveness_probe(worker) -> None:
    probe = worker({"worker.livenessProbe": {"enabled": True, "config": {"periodSeconds": 3}}}).container()["livenessProbe"]
    assert probe["httpGet"] == {"path": "/health", "port": "health"} and probe["periodSeconds"] == 3
    assert "livenessProbe" not in worker().container()


def test_service_account(worker) -> None:
    objects = worker({"serviceAccount.annotations": {"eks.amazonaws.com/role-arn": "arn:{{ .Release.Name }}"}, "serviceAccount.name": "me"})
    account = objects.one("ServiceAccount")["metadata"]
    assert account["name"] == "me" and account["annotations"] == {"eks.amazonaws.com/role-arn": "arn:tidegate-worker"}
    assert objects.pod()["serviceAccountName"] == "me"
    assert objects.of("RoleBinding")[0]["subjects"] == [{"kind": "ServiceAccount", "name": "me", "namespace": "tidegate"}]
    none = worker({"serviceAccount.create": False})
    assert not none.of("ServiceAccount") and none.pod()["serviceAccountName"] == "default"
    assert worker({"serviceAccount.create": False, "serviceAccount.name": "there"}).pod()["serviceAccountName"] == "there"


def verbs(role: dict) -> dict[str, set[str]]:
    return {resource: set(rule["verbs"]) for rule in role["rules"] for resource in rule["resources"]}


def test_role_is_what_the_worker_needs_and_no_more(worker) -> None:
    objects = worker()
    assert verbs(objects.one("Role", "tidegate-worker")) == {
        "jobs": {"create", "get", "list", "watch", "patch", "delete"},
        "pods": {"get", "list", "watch", "delete"},
        "pods/log": {"get"},
        "events": {"list", "watch"},
        "secrets": {"create", "get", "patch", "delete"},
    }
    assert verbs(objects.one("Role", "tidegate-worker-leases")) == {"leases": {"list", "create", "update", "delete"}}
    assert not objects.of("ClusterRole")


def test_every_namespace_of_jobs_has_role_and_binding(worker) -> None:
    objects = worker({"worker.config.namespaces": ["a", "b"], "worker.config.jobNamespace": "c,a"})
    for kind in ("Role", "RoleBinding"):
        found = [each["metadata"]["namespace"] for each in objects.of(kind) if each["metadata"]["name"] == "tidegate-worker"]
        assert sorted(found) == ["a", "b", "c", "tidegate"]
    assert {binding["subjects"][0]["namespace"] for binding in objects.of("RoleBinding")} == {"tidegate"}


def test_cluster_wide(worker) -> None:
    objects = worker({"worker.config.observerClusterWide": True})
    role = objects.one("ClusterRole")
    assert role["metadata"]["name"] == "tidegate-tidegate-worker" and "namespace" not in role["metadata"]
    assert "jobs" in verbs(role)
    assert objects.one("ClusterRoleBinding")["roleRef"]["name"] == role["metadata"]["name"]
    assert [each["metadata"]["name"] for each in objects.of("Role")] == ["tidegate-worker-leases"]


def test_reading_the_clusters_identity_is_a_permission_of_its_own(worker) -> None:
    role = worker({"role.readClusterUid": True}).one("ClusterRole")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]}]


def test_extra_permissions_and_none(worker) -> None:
    extra = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    assert extra in worker({"role.extraPermissions": [extra]}).one("Role", "tidegate-worker")["rules"]
    assert not worker({"role.create": False}).of("Role")
    assert not worker({"rolebinding.create": False}).of("RoleBinding")


def test_network_policy(worker) -> None:
    assert not worker().of("NetworkPolicy")
    spec = worker({"networkPolicy.enabled": True, "networkPolicy.kubernetesApiPorts": [6443], "networkPolicy.apiPorts": [4200],
                   "networkPolicy.extraEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}).one("NetworkPolicy")["spec"]  # fmt: skip
    assert spec["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in spec
    assert [port["port"] for rule in spec["egress"] for port in rule.get("ports", [])] == [53, 53, 6443, 4200]
    assert spec["egress"][-1] == {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    probed = worker({"networkPolicy.enabled": True, "worker.livenessProbe.enabled": True}).one("NetworkPolicy")["spec"]
    assert probed["ingress"] == [{"ports": [{"port": "health"}]}]


def test_helm_test_asks_for_the_pool(worker) -> None:
    pod = worker().one("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["containers"][0]["args"] == ["work-pool", "inspect", "k8s"]
    assert pod["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"worker.config.workPool": ""}, "A Work Pool Name is required (worker.config.workPool)"),
        ({"worker.selfHostedServerApiConfig.apiUrl": ""}, "required (worker.selfHostedServerApiConfig.apiUrl)"),
        ({"worker.apiConfig": "cloud"}, "An Account ID is required (worker.cloudApiConfig.accountId)"),
        ({**CLOUD, "worker.cloudApiConfig.workspaceId": ""}, "required (worker.cloudApiConfig.workspaceId)"),
        ({"worker.apiConfig": "customerManagedCloud"}, "(worker.customerManagedCloudApiConfig.accountId)"),
        ({"worker.apiConfig": "server"}, "use selfHostedServer"),
        ({"worker.apiConfig": "selfManaged"}, "use customerManagedCloud"),
        ({"worker.serverApiConfig": {"apiUrl": "x"}}, "use worker.selfHostedServerApiConfig"),
        ({"worker.selfHostedCloudApiConfig": {}}, "use worker.customerManagedCloudApiConfig"),
        ({"worker.basicAuth": {"enabled": True}}, "use worker.selfHostedServerApiConfig.basicAuth"),
        ({"worker.config.baseJobTemplate": "{}"}, "use worker.config.baseJobTemplate.configuration"),
        ({"worker.image.prefectTag": "3-latest"}, "use worker.image.tag"),
        ({"workPool": {"name": "x"}}, "use worker.config.workPool"),
        ({"workQueueName": "default"}, "use worker.config.workQueues"),
        ({"accountId": "x"}, "use worker.cloudApiConfig.accountId"),
        ({"workspaceId": "x"}, "use worker.cloudApiConfig.workspaceId"),
        ({"image": {"repository": "x"}}, "use worker.image"),
        ({"imagePullSecrets": []}, "use worker.image.pullSecrets"),
        ({"role.namespace": "x"}, "use worker.config.namespaces"),
        ({"worker.selfHostedServerApiConfig.basicAuth.enabled": True}, "existingSecret"),
        ({"worker.autoscaling.enabled": True, "worker.keda": {"enabled": True, "workQueueId": "q"}}, "exclude each other"),
        ({"worker.keda.enabled": True}, "worker.keda.workQueueId"),
        ({"worker.config.name": "one", "worker.replicaCount": 2}, "leave it unset"),
        ({"worker.nonsense": 1}, "nonsense"),
        ({"nonsense": 1}, "nonsense"),
        ({"worker.config.installPolicy": "sometimes"}, "installPolicy"),
        ({"worker.config.workQueues": "default"}, "workQueues"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_refusals_name_the_right_key(worker, values, said) -> None:
    assert said in worker.refusal(values)
