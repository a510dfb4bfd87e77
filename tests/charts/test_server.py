"""The chart tidegate-server, value by value."""

from __future__ import annotations

import base64

import pytest

DATABASE = {"externalDatabase.connectionString": "postgresql://u:p@h/d", "encryptionKey.existingSecret": "key"}
SEPARATE = {**DATABASE, "backgroundServices.runAsSeparateDeployment": True}
BACKGROUND = "tidegate-server-background-services"


def test_defaults(server) -> None:
    objects = server()
    assert {found["kind"] for found in objects.all} == {"Deployment", "Service", "ServiceAccount", "PersistentVolumeClaim", "Pod"}
    assert objects.container()["args"] == ["server", "start", "--host", "0.0.0.0", "--port", "4200"]
    assert objects.container()["image"] == "tidegate:0.1.0"
    assert objects.environment()["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == "sqlite:////data/tidegate.db"
    # The key of the secrets is a file beside the database.
    assert "TIDEGATE_SERVER_ENCRYPTION_KEY" not in objects.environment()
    assert objects.one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert objects.pod()["automountServiceAccountToken"] is False


def test_pods_may_run_where_only_restricted_ones_may(server) -> None:
    objects = server(SEPARATE)
    for name in ("tidegate-server", BACKGROUND):
        pod, container = objects.pod(name), objects.container(name)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_sqlite_in_a_claim_or_not(server) -> None:
    objects = server({"sqlite.persistence": {"enabled": True, "size": "5Gi", "storageClassName": "fast"}})
    claim = objects.one("PersistentVolumeClaim")
    assert claim["metadata"]["name"] == "tidegate-server-sqlite"
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "5Gi"}}}
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "tidegate-server-sqlite"}} in objects.pod()["volumes"]
    none = server({"sqlite.persistence.enabled": False})
    assert not none.of("PersistentVolumeClaim")
    assert {"name": "data", "emptyDir": {}} in none.pod()["volumes"]


def url(objects) -> object:
    return objects.environment()["PREFECT_SERVER_DATABASE_CONNECTION_URL"]


def test_database_by_address(server) -> None:
    objects = server(DATABASE)
    assert url(objects) == "postgresql://u:p@h/d"
    assert not objects.of("PersistentVolumeClaim")
    assert objects.one("Deployment")["spec"]["strategy"] == {"type": "RollingUpdate"}


def test_database_by_a_secret_with_the_address(server) -> None:
    objects = server({"externalDatabase.existingSecret": "s", "externalDatabase.connectionStringSecretKey": "k"})
    assert url(objects) == {"secretKeyRef": {"name": "s", "key": "k"}}


def test_database_in_parts(server) -> None:
    objects = server({"externalDatabase.existingSecret": "s", "externalDatabase.usernameSecretKey": "u", "externalDatabase.passwordSecretKey": "p",
                      "externalDatabase.host": "h", "externalDatabase.name": "n"})  # fmt: skip
    found = {name.removeprefix("PREFECT_SERVER_DATABASE_"): value for name, value in objects.environment().items() if "_DATABASE_" in name}
    assert found == {
        "DRIVER": "postgresql+asyncpg", "USER": {"secretKeyRef": {"name": "s", "key": "u"}},
        "PASSWORD": {"secretKeyRef": {"name": "s", "key": "p"}}, "HOST": "h", "NAME": "n",
    }  # fmt: skip
    assert server({"externalDatabase.username": "u", "externalDatabase.password": "p", "externalDatabase.host": "h", "externalDatabase.name": "n",
                   "externalDatabase.port": 6432, "externalDatabase.driver": "postgresql"}).environment()[
        "PREFECT_SERVER_DATABASE_PORT"] == "6432"  # fmt: skip


def test_database_by_a_secret_of_the_charts_own(server) -> None:
    parts = {"username": "u@x", "password": "p:/ ?", "host": "h", "database": "d"}
    objects = server({f"secret.{key}": value for key, value in parts.items()})
    secret = objects.one("Secret", "tidegate-server-postgresql-connection")
    assert secret["stringData"] == {"connection-string": "postgresql://u%40x:p%3A%2F%20%3F@h:5432/d"}
    assert url(objects) == {"secretKeyRef": {"name": "tidegate-server-postgresql-connection", "key": "connection-string"}}
    named = server({"secret.create": False, "secret.name": "there"})
    assert url(named) == {"secretKeyRef": {"name": "there", "key": "connection-string"}}
    old = server({"postgresql.enabled": False, "postgresql.auth": {"existingSecret": "old"}})
    assert url(old) == {"secretKeyRef": {"name": "old", "key": "connection-string"}}


def test_database_of_an_operator(server) -> None:
    objects = server({"cloudNativePg": {"enabled": True, "instances": 3, "storage": {"size": "2Gi", "storageClass": "fast"},
                                        "spec": {"resources": {"limits": {"cpu": "1"}}}}})  # fmt: skip
    cluster = objects.one("Cluster")
    assert cluster["apiVersion"] == "postgresql.cnpg.io/v1" and cluster["metadata"]["name"] == "tidegate-server-db"
    assert cluster["spec"] == {
        "instances": 3, "storage": {"size": "2Gi", "storageClass": "fast"}, "resources": {"limits": {"cpu": "1"}},
        "bootstrap": {"initdb": {"database": "tidegate", "owner": "tidegate"}},
    }  # fmt: skip
    assert url(objects) == {"secretKeyRef": {"name": "tidegate-server-db-app", "key": "uri"}}
    named = server({"cloudNativePg": {"enabled": True, "name": "pg", "database": "d", "owner": "o"}})
    assert named.one("Cluster", "pg")["spec"]["bootstrap"]["initdb"] == {"database": "d", "owner": "o"}
    assert url(named)["secretKeyRef"]["name"] == "pg-app"


def test_which_database_comes_first(server) -> None:
    assert url(server({**DATABASE, "sqlite.enabled": True})) == "sqlite:////data/tidegate.db"
    assert url(server({**DATABASE, "cloudNativePg.enabled": True})) == "postgresql://u:p@h/d"


def test_authorities_of_the_database(server) -> None:
    objects = server({**DATABASE, "externalDatabase.tls": {"existingSecret": "ca", "key": "root.pem"}})
    environment = objects.environment()
    assert environment["PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_ENABLED"] == "true"
    assert environment["PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_CA_FILE"] == "/etc/tidegate/database/ca.crt"
    volume = {"name": "database-authorities", "secret": {"secretName": "ca", "items": [{"key": "root.pem", "path": "ca.crt"}]}}
    assert volume in objects.pod()["volumes"]
    assert {"name": "database-authorities", "mountPath": "/etc/tidegate/database", "readOnly": True} in objects.container()["volumeMounts"]


def test_encryption_key(server) -> None:
    made = server({"externalDatabase.connectionString": "postgresql://h/d"})
    secret = made.one("Secret", "tidegate-server-encryption-key")
    assert len(base64.b64decode(base64.b64decode(secret["data"]["encryption-key"]))) == 32
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    reference = {"secretKeyRef": {"name": "tidegate-server-encryption-key", "key": "encryption-key"}}
    assert made.environment()["TIDEGATE_SERVER_ENCRYPTION_KEY"] == reference
    named = server({"encryptionKey.existingSecret": "mine", "encryptionKey.key": "k"})
    assert not named.of("Secret")
    assert named.environment()["TIDEGATE_SERVER_ENCRYPTION_KEY"] == {"secretKeyRef": {"name": "mine", "key": "k"}}


@pytest.mark.parametrize(
    ("values", "variable", "expected"),
    [
        ({"server.basicAuth": {"enabled": True, "authString": "u:p"}}, "PREFECT_SERVER_API_AUTH_STRING", "u:p"),
        ({"server.basicAuth": {"enabled": True, "existingSecret": "s"}}, "PREFECT_SERVER_API_AUTH_STRING",
         {"secretKeyRef": {"name": "s", "key": "auth-string"}}),
        ({"server.apiKeys": {"existingSecret": "s"}}, "TIDEGATE_SERVER_API_KEYS", {"secretKeyRef": {"name": "s", "key": "api-keys"}}),
        ({"server.apiBasePath": "/tide/api"}, "PREFECT_SERVER_API_BASE_PATH", "/tide/api"),
        ({"server.loggingLevel": "INFO"}, "PREFECT_LOGGING_SERVER_LEVEL", "INFO"),
        ({"server.loggingFormat": "json"}, "TIDEGATE_LOGGING_FORMAT", "json"),
        ({"server.debug": True}, "PREFECT_DEBUG_MODE", "true"),
        ({"server.uiConfig.prefectUiApiUrl": "https://{{ .Release.Name }}/api"}, "PREFECT_UI_API_URL", "https://tidegate-server/api"),
        ({"server.uiConfig.from": "/ui"}, "TIDEGATE_SERVER_UI_FROM", "/ui"),
        ({"server.env": [{"name": "A", "value": "{{ .Release.Name }}"}]}, "A", "tidegate-server"),
        ({"global.prefect.env": [{"name": "B", "value": "2"}]}, "B", "2"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_environment(server, values, variable, expected) -> None:
    assert server().environment().get(variable) != expected
    assert server(values).environment()[variable] == expected


def test_variables_from_a_config_map_and_a_secret(server) -> None:
    found = server({"server.extraEnvVarsCM": "a", "server.extraEnvVarsSecret": "b"}).container()["envFrom"]
    assert found == [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}]
    assert "envFrom" not in server().container()


def test_port_arguments_and_command(server) -> None:
    objects = server({"service.targetPort": 8080, "server.extraArgs": ["--no-ui"]})
    assert objects.container()["args"][-3:] == ["--port", "8080", "--no-ui"]
    assert objects.container()["ports"] == [{"name": "http", "containerPort": 8080}]
    own = server({"server.args": ["server", "start"], "server.command": ["/x"]}).container()
    assert (own["args"], own["command"]) == (["server", "start"], ["/x"])


def test_probes(server) -> None:
    container = server().container()
    assert container["startupProbe"]["httpGet"] == container["livenessProbe"]["httpGet"] == {"path": "/api/health", "port": "http"}
    assert container["readinessProbe"]["httpGet"]["path"] == "/api/ready"
    moved = server({"server.apiBasePath": "/tide/", "server.livenessProbe.periodSeconds": 3, "server.readinessProbe.path": "/x",
                    "server.startupProbe.enabled": False}).container()  # fmt: skip
    assert moved["livenessProbe"]["httpGet"]["path"] == "/tide/health" and moved["livenessProbe"]["periodSeconds"] == 3
    assert moved["readinessProbe"]["httpGet"]["path"] == "/x"
    assert "startupProbe" not in moved and "enabled" not in moved["livenessProbe"] and "path" not in moved["livenessProbe"]


@pytest.mark.parametrize("section", ["server", "backgroundServices"])
@pytest.mark.parametrize(
    ("value", "given", "field"),
    [
        ("priorityClassName", "high", "priorityClassName"),
        ("terminationGracePeriodSeconds", 0, "terminationGracePeriodSeconds"),
        ("affinity", {"nodeAffinity": {}}, "affinity"),
        ("nodeSelector", {"a": "b"}, "nodeSelector"),
        ("tolerations", [{"key": "k", "operator": "Exists"}], "tolerations"),
        ("automountServiceAccountToken", True, "automountServiceAccountToken"),
        ("extraInitContainers", [{"name": "i", "image": "i"}], "initContainers"),
    ],
)
def test_pods(server, section, value, given, field) -> None:
    name = "tidegate-server" if section == "server" else BACKGROUND
    assert server({**SEPARATE, f"{section}.{value}": given}).pod(name)[field] == given
    assert server(SEPARATE).pod(name).get(field) != given


@pytest.mark.parametrize("section", ["server", "backgroundServices"])
def test_containers_volumes_labels(server, section) -> None:
    name = "tidegate-server" if section == "server" else BACKGROUND
    objects = server({**SEPARATE, f"{section}.extraContainers": [{"name": "side", "image": "i"}],
                      f"{section}.extraVolumes": [{"name": "v", "emptyDir": {}}], f"{section}.extraVolumeMounts": [{"name": "v", "mountPath": "/v"}],
                      f"{section}.podLabels": {"p": "q"}, f"{section}.podAnnotations": {"r": "s"}, f"{section}.resources": {"limits": {"cpu": "2"}},
                      f"{section}.containerSecurityContext": {"runAsUser": 7}, f"{section}.podSecurityContext": {"fsGroup": 8},
                      f"{section}.revisionHistoryLimit": 3, f"{section}.replicaCount": 4})  # fmt: skip
    pod, deployment = objects.pod(name), objects.one("Deployment", name)
    assert pod["containers"][1]["name"] == "side" and {"name": "v", "emptyDir": {}} in pod["volumes"]
    assert {"name": "v", "mountPath": "/v"} in pod["containers"][0]["volumeMounts"]
    assert pod["containers"][0]["resources"]["limits"]["cpu"] == "2"
    assert pod["containers"][0]["securityContext"]["runAsUser"] == 7 and pod["securityContext"]["fsGroup"] == 8
    metadata = deployment["spec"]["template"]["metadata"]
    assert metadata["labels"]["p"] == "q" and metadata["annotations"] == {"r": "s"}
    assert (deployment["spec"]["revisionHistoryLimit"], deployment["spec"]["replicas"]) == (3, 4)


def test_lifecycle_update_strategy_and_host_network(server) -> None:
    objects = server({**DATABASE, "server.lifecycle": {"preStop": {"sleep": {"seconds": 2}}}, "server.hostNetwork": True,
                      "server.updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}}})  # fmt: skip
    assert objects.container()["lifecycle"] == {"preStop": {"sleep": {"seconds": 2}}}
    assert objects.pod()["hostNetwork"] is True
    assert objects.one("Deployment")["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0}


def test_images(server) -> None:
    objects = server({**SEPARATE, "image": {"repository": "harbor.example/t", "tag": "2", "pullPolicy": "Always", "pullSecrets": ["a"]},
                      "global.prefect.image": {"pullSecrets": ["b", "a"]}})  # fmt: skip
    for name in ("tidegate-server", BACKGROUND):
        assert objects.container(name)["image"] == "harbor.example/t:2" and objects.container(name)["imagePullPolicy"] == "Always"
        assert objects.pod(name)["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]
    assert server({"global.prefect.image": {"pullPolicy": "Never"}}).container()["imagePullPolicy"] == "Never"


def test_background_services(server) -> None:
    objects = server({**SEPARATE, "backgroundServices.env": [{"name": "A", "value": "1"}], "global.prefect.env": [{"name": "B", "value": "2"}],
                      "backgroundServices.extraEnvVarsSecret": "s", "server.basicAuth": {"enabled": True, "authString": "u:p"}})  # fmt: skip
    assert "--no-services" in objects.container("tidegate-server")["args"]
    container = objects.container(BACKGROUND)
    assert container["args"] == ["server", "services", "start"] and "ports" not in container and "livenessProbe" not in container
    environment = objects.environment(BACKGROUND)
    assert environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == "postgresql://u:p@h/d"
    assert (environment["A"], environment["B"]) == ("1", "2")
    assert "PREFECT_SERVER_API_AUTH_STRING" not in environment
    assert container["envFrom"] == [{"secretRef": {"name": "s"}}]
    assert objects.pod(BACKGROUND)["serviceAccountName"] == BACKGROUND
    # The server's Service must not lead to them.
    labels = objects.one("Deployment", BACKGROUND)["spec"]["template"]["metadata"]["labels"]
    assert not objects.one("Service")["spec"]["selector"].items() <= labels.items()


def test_service_accounts(server) -> None:
    objects = server({**SEPARATE, "serviceAccount.name": "me", "serviceAccount.annotations": {"a": "{{ .Release.Name }}"},
                      "backgroundServices.serviceAccount": {"create": True, "name": "them", "annotations": {"b": "c"}}})  # fmt: skip
    assert objects.one("ServiceAccount", "me")["metadata"]["annotations"] == {"a": "tidegate-server"}
    assert objects.one("ServiceAccount", "them")["metadata"]["annotations"] == {"b": "c"}
    assert objects.pod("tidegate-server")["serviceAccountName"] == "me" and objects.pod(BACKGROUND)["serviceAccountName"] == "them"
    shared = server({**SEPARATE, "backgroundServices.serviceAccount.create": False})
    assert shared.pod(BACKGROUND)["serviceAccountName"] == "tidegate-server"
    assert server({"serviceAccount.create": False}).pod()["serviceAccountName"] == "default"
    assert server({"serviceAccount.automountServiceAccountToken": True}).one("ServiceAccount")["automountServiceAccountToken"] is True


def test_service(server) -> None:
    assert server().one("Service")["spec"]["ports"] == [{"name": "server-svc-port", "port": 4200, "targetPort": "http", "protocol": "TCP"}]
    spec = server({"service": {"type": "NodePort", "port": 80, "portName": "api", "appProtocol": "http", "nodePort": 30080, "clusterIP": "10.0.0.9",
                               "externalTrafficPolicy": "Local", "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"],
                               "extraPorts": [{"name": "x", "port": 1}]}}).one("Service")["spec"]  # fmt: skip
    assert (spec["type"], spec["clusterIP"], spec["externalTrafficPolicy"]) == ("NodePort", "10.0.0.9", "Local")
    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("SingleStack", ["IPv4"])
    port = {"name": "api", "port": 80, "targetPort": "http", "protocol": "TCP", "appProtocol": "http", "nodePort": 30080}
    assert spec["ports"] == [port, {"name": "x", "port": 1}]
    assert server({"service.annotations": {"a": "b"}}).one("Service")["metadata"]["annotations"] == {"a": "b"}


def test_ingress(server) -> None:
    assert not server().of("Ingress")
    ingress = server({"ingress": {"enabled": True, "className": "nginx", "host": {"hostname": "t.example", "path": "/p", "pathType": "Prefix"},
                                  "extraHosts": [{"name": "u.example"}], "extraPaths": [{"path": "/e"}], "extraRules": [{"host": "v.example"}],
                                  "annotations": {"cert-manager.io/issuer": "i"}, "tls": True,
                                  "extraTls": [{"hosts": ["u.example"], "secretName": "u"}]}}).one("Ingress")  # fmt: skip
    spec = ingress["spec"]
    assert spec["ingressClassName"] == "nginx" and [rule["host"] for rule in spec["rules"]] == ["t.example", "u.example", "v.example"]
    paths = spec["rules"][0]["http"]["paths"]
    assert paths[0] == {"path": "/e"}
    assert paths[1] == {"path": "/p", "pathType": "Prefix",
                        "backend": {"service": {"name": "tidegate-server", "port": {"name": "server-svc-port"}}}}  # fmt: skip
    assert spec["tls"] == [{"hosts": ["t.example"], "secretName": "t.example-tls"}, {"hosts": ["u.example"], "secretName": "u"}]
    by_number = server({"ingress.enabled": True, "ingress.servicePort": 4200}).one("Ingress")["spec"]["rules"][0]["http"]["paths"][0]
    assert by_number["backend"]["service"]["port"] == {"number": 4200}
    assert "tls" not in server({"ingress.enabled": True, "ingress.tls": True}).one("Ingress")["spec"]
    assert "tls" in server({"ingress.enabled": True, "ingress.tls": True, "ingress.selfSigned": True}).one("Ingress")["spec"]


def test_gateway_and_routes(server) -> None:
    values = {"gateway": {"enabled": True, "className": "envoy", "labels": {"g": "1"}, "annotations": {"a": "b"}, "infrastructure": {"labels": {"i": "j"}}},
              "httproute": {"hostnames": ["t.example"], "path": "/p", "tls": {"redirect": True, "redirectPort": 8443},
                            "labels": {"r": "1"}, "extraRules": [{"matches": []}]}}  # fmt: skip
    objects = server(values)
    gateway = objects.one("Gateway")
    assert gateway["spec"]["gatewayClassName"] == "envoy" and gateway["spec"]["infrastructure"] == {"labels": {"i": "j"}}
    assert gateway["metadata"]["labels"]["g"] == "1" and gateway["metadata"]["annotations"] == {"a": "b"}
    listeners = {listener["name"]: listener for listener in gateway["spec"]["listeners"]}
    assert listeners["https"]["tls"] == {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": "t.example-tls"}]}
    assert listeners["http"] == {"name": "http", "port": 80, "protocol": "HTTP"}
    route = objects.one("HTTPRoute", "tidegate-server")
    assert route["spec"]["parentRefs"] == [{"name": "tidegate-server", "sectionName": "https"}] and route["metadata"]["labels"]["r"] == "1"
    assert route["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/p"}}]
    assert route["spec"]["rules"][1] == {"matches": []}
    redirect = objects.one("HTTPRoute", "tidegate-server-tls-redirect")["spec"]
    assert redirect["parentRefs"] == [{"name": "tidegate-server", "sectionName": "http"}]
    assert redirect["rules"][0]["filters"][0]["requestRedirect"] == {"scheme": "https", "port": 8443, "statusCode": 301}
    shared = server({"gateway": {"enabled": True, "create": False, "name": "shared"}, "httproute.name": "mine"})
    assert not shared.of("Gateway") and shared.one("HTTPRoute", "mine")["spec"]["parentRefs"][0]["name"] == "shared"
    assert not server({"gateway": {"enabled": True, "className": "c"}, "httproute.enabled": False}).of("HTTPRoute")


def test_autoscaling_and_disruption_budget(server) -> None:
    objects = server({**DATABASE, "server.autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 5, "targetCPU": 70, "targetMemory": 75},
                      "server.podDisruptionBudget": {"minAvailable": 1}})  # fmt: skip
    assert "replicas" not in objects.one("Deployment")["spec"]
    spec = objects.one("HorizontalPodAutoscaler")["spec"]
    targets = {metric["resource"]["name"]: metric["resource"]["target"]["averageUtilization"] for metric in spec["metrics"]}
    assert (spec["minReplicas"], spec["maxReplicas"], targets) == (2, 5, {"cpu": 70, "memory": 75})
    budget = objects.one("PodDisruptionBudget")["spec"]
    assert budget["minAvailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= objects.one("Deployment")["spec"]["template"]["metadata"]["labels"].items()


def test_topology_spread_is_of_ones_own_pods(server) -> None:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    objects = server({**SEPARATE, "server.topologySpreadConstraints": [constraint], "backgroundServices.topologySpreadConstraints": [constraint]})
    for name in ("tidegate-server", BACKGROUND):
        selector = objects.one("Deployment", name)["spec"]["selector"]
        assert objects.pod(name)["topologySpreadConstraints"] == [{**constraint, "labelSelector": selector}]


def test_service_monitor(server) -> None:
    assert not server().of("ServiceMonitor")
    auth = {"username": {"name": "s", "key": "u"}, "password": {"name": "s", "key": "p"}}
    monitor = server({"serviceMonitor": {"enabled": True, "namespace": "monitoring", "labels": {"release": "p"}, "interval": "10s",
                                         "scrapeTimeout": "5s", "basicAuth": auth, "authorization": {"type": "Bearer"},
                                         "relabelings": [{"action": "drop"}], "metricRelabelings": [{"action": "keep"}]}}).one("ServiceMonitor")  # fmt: skip
    assert monitor["metadata"]["namespace"] == "monitoring" and monitor["metadata"]["labels"]["release"] == "p"
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["tidegate"]}
    assert monitor["spec"]["endpoints"] == [{
        "port": "server-svc-port", "path": "/metrics", "interval": "10s", "scrapeTimeout": "5s", "basicAuth": auth,
        "authorization": {"type": "Bearer"}, "relabelings": [{"action": "drop"}], "metricRelabelings": [{"action": "keep"}],
    }]  # fmt: skip


def test_network_policy(server) -> None:
    assert not server().of("NetworkPolicy")
    open_ = server({"networkPolicy.enabled": True}).one("NetworkPolicy")["spec"]
    assert open_["ingress"] == [{"ports": [{"port": "http"}]}] and open_["egress"] == [{}]
    objects = server({**SEPARATE, "networkPolicy": {"enabled": True, "allowEgressToWorld": False, "from": [{"podSelector": {}}],
                                                    "extraIngress": [{"ports": [{"port": 1}]}], "extraEgress": [{"ports": [{"port": 2}]}]}})  # fmt: skip
    closed = objects.one("NetworkPolicy", "tidegate-server")["spec"]
    assert closed["ingress"] == [{"ports": [{"port": "http"}], "from": [{"podSelector": {}}]}, {"ports": [{"port": 1}]}]
    assert [port["port"] for rule in closed["egress"] for port in rule["ports"]] == [53, 53, 5432, 2]
    background = objects.one("NetworkPolicy", BACKGROUND)["spec"]
    assert "ingress" not in background and background["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "background-services"


def test_labels_annotations_names_and_namespace(server) -> None:
    objects = server({**SEPARATE, "commonLabels": {"team": "{{ .Release.Name }}"}, "commonAnnotations": {"a": "b"}, "namespaceOverride": "else"})
    for found in objects.all:
        metadata = found["metadata"]
        assert metadata["labels"]["team"] == "tidegate-server" and metadata["annotations"]["a"] == "b" and metadata["namespace"] == "else"
    assert server({"fullnameOverride": "x"}).one("Service")["metadata"]["name"] == "x"
    assert server({"fullnameOverride": "", "nameOverride": "zz"}).one("Service")["metadata"]["name"] == "tidegate-server-zz"


def test_helm_test_asks_the_service(server) -> None:
    pod = server({"server.apiBasePath": "/x"}).one("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["containers"][0]["args"] == ["--api-url", "http://tidegate-server.tidegate.svc:4200/x", "api", "GET", "/ready"]


def test_what_the_reference_needs_and_we_do_not_changes_nothing(server) -> None:
    plain = server(SEPARATE).all
    given = server({**SEPARATE, "migrations": {"enabled": True, "timeoutSeconds": 5}, "server.uiConfig.prefectUiStaticDirectory": "/ui_build",
                    "backgroundServices.messaging": {"broker": "prefect_redis.messaging", "redis": {"host": "r"}}}).all  # fmt: skip
    assert given == plain


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"postgresql.enabled": True}, "externalDatabase"),
        ({"postgresql.externalHostname": "h"}, "secret.host"),
        ({"postgresql.useSubChart": False}, "externalDatabase"),
        ({"redis.enabled": True}, "needs no Redis"),
        ({"global.prefect.image": {"prefectTag": "3-latest"}}, "use image.repository and image.tag"),
        ({"global.prefect.image": {"repository": "x"}}, "use image.repository and image.tag"),
        ({"global.prefect.prefectApiUrl": "x"}, "use server.uiConfig.prefectUiApiUrl"),
        ({"global.prefect.prefectApiHost": "x"}, "use server.uiConfig.prefectUiApiUrl"),
        ({"server.uiConfig.prefectUiUrl": "x"}, "use server.uiConfig.prefectUiApiUrl"),
        ({"server.publicApiUrl": "x"}, "use server.uiConfig.prefectUiApiUrl"),
        ({"server.image": {}}, "use image"),
        ({"sqlite.enabled": False}, "no other database is named"),
        ({"server.replicaCount": 2}, "SQLite is for one server"),
        ({"server.autoscaling.enabled": True}, "SQLite is for one server"),
        ({"backgroundServices.runAsSeparateDeployment": True}, "SQLite is for one process"),
        ({"secret.host": "h"}, "secret.username is required"),
        ({"externalDatabase.host": "h"}, "externalDatabase.username"),
        ({"externalDatabase.host": "h", "externalDatabase.name": "n", "externalDatabase.username": "u", "externalDatabase.passwordSecretKey": "k"},
         "needs externalDatabase.existingSecret"),
        ({"externalDatabase.connectionString": "postgresql://h/d", "encryptionKey.generate": False}, "encryptionKey.existingSecret"),
        ({"server.basicAuth.enabled": True}, "server.basicAuth.existingSecret"),
        ({"gateway.enabled": True, "ingress.enabled": True}, "exclude each other"),
        ({"gateway.enabled": True}, "gateway.className is required"),
        ({"gateway.enabled": True, "gateway.create": False}, "httproute.parentRefs"),
        ({"nonsense": 1}, "nonsense"),
        ({"server.nonsense": 1}, "nonsense"),
        ({"service.type": "Sometimes"}, "service"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)  # fmt: skip
def test_refusals_name_the_right_key(server, values, said) -> None:
    assert said in server.refusal(values)
