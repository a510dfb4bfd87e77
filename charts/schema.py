"""Writes each chart's values.schema.json from its values.yaml, so that a value that nothing reads is an error and not a silence.
`python charts/schema.py [--check]`. What a default cannot say (choices, old names, text or number) stands in the tables below."""

import argparse
import json
import sys
from pathlib import Path

import yaml

CHARTS = Path(__file__).resolve().parent
# Objects of Kubernetes: any of their fields may be given. The API server knows them better than we do.
OPEN = {
    "resources", "podSecurityContext", "containerSecurityContext", "strategy", "updateStrategy", "podDisruptionBudget", "affinity", "lifecycle",
    "authorization", "infrastructure", "listeners", "spec",
}
OPEN_PATHS = {
    "worker.livenessProbe.config", "serviceMonitor.basicAuth", "global.prefect.image", "backgroundServices.messaging", "migrations", "postgresql", "redis",
}
MAPS = {"commonLabels", "commonAnnotations", "podLabels", "podAnnotations", "annotations", "nodeSelector", "labels"}
CHOICES = {
    "worker.apiConfig": ["selfHostedServer", "cloud", "customerManagedCloud", "server", "selfManaged"],
    "worker.cloudApiConfig.jobApiKeyPropagation": ["secretRef", "autoSecret", "envVar"],
    "worker.customerManagedCloudApiConfig.jobApiKeyPropagation": ["secretRef", "autoSecret", "envVar"],
    "worker.config.installPolicy": ["always", "if-not-present", "never", "prompt"],
    "worker.image.pullPolicy": ["Always", "IfNotPresent", "Never"],
    "image.pullPolicy": ["Always", "IfNotPresent", "Never"],
    "server.loggingFormat": ["text", "json"],
    "service.type": ["ClusterIP", "NodePort", "LoadBalancer"],
    "service.externalTrafficPolicy": ["Cluster", "Local"],
}
NUMBER_OR_TEXT = {"service.nodePort", "ingress.servicePort", "externalDatabase.port", "secret.port", "worker.config.limit"}
ANYTHING = {"worker.config.baseJobTemplate.configuration"}
FLAG_OR_NULL = {"sqlite.enabled"}
# Names of other charts and of old ones: the templates answer them with the right key, which a schema cannot.
ANSWERED = {
    "tidegate-worker": {
        "": ["workPool", "workQueueName", "accountId", "workspaceId", "image", "env", "imagePullSecrets", "replicaCount", "resources", "global"],
        "worker": ["serverApiConfig", "selfHostedCloudApiConfig", "basicAuth"],
        "worker.image": ["prefectTag"],
    },
    "tidegate-server": {
        "": ["postgresql", "redis"],
        "global": ["postgresql", "redis", "imageRegistry", "storageClass"],
        "global.prefect": ["prefectApiUrl", "prefectApiHost"],
        "server": ["image", "publicApiUrl"],
        "server.uiConfig": ["prefectUiUrl"],
        "backgroundServices": ["debug", "loggingLevel"],
    },
}


def schema(value: object, path: str, answered: dict[str, list[str]]) -> dict:
    name = path.rpartition(".")[2]
    if path in ANYTHING:
        return {}
    if path == "worker.config.baseJobTemplate":
        # The whole section was a text once.
        return {"anyOf": [{"type": "string"}, section(value, path, answered)]}
    if path in CHOICES:
        return {"enum": CHOICES[path]}
    if path in NUMBER_OR_TEXT:
        return {"type": ["string", "integer", "null"]}
    if path in FLAG_OR_NULL:
        return {"type": ["boolean", "null"]}
    if path in OPEN_PATHS or name in MAPS or name in OPEN:
        return {"type": ["object", "null"]}
    if isinstance(value, dict):
        return section(value, path, answered)
    if isinstance(value, list):
        return {"type": ["array", "null"]}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        return {"type": "integer", "minimum": 0}
    if value is None:
        return {"type": ["string", "integer", "null"]}
    return {"type": ["string", "null"]}


def section(value: dict, path: str, answered: dict[str, list[str]]) -> dict:
    below = lambda key: f"{path}.{key}" if path else key  # noqa: E731
    properties = {key: schema(inner, below(key), answered) for key, inner in value.items()}
    properties.update({key: {} for key in answered.get(path, []) if key not in properties})
    return {"type": "object", "properties": properties, "additionalProperties": False}


def text(chart: Path) -> str:
    values = yaml.safe_load((chart / "values.yaml").read_text())
    body = {"$schema": "http://json-schema.org/draft-07/schema#", "title": chart.name, **section(values, "", ANSWERED[chart.name])}
    return json.dumps(body, indent=1) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    arguments = parser.parse_args()
    stale = []
    for name in ANSWERED:
        chart = CHARTS / name
        path = chart / "values.schema.json"
        if not arguments.check:
            path.write_text(text(chart))
        elif not path.exists() or path.read_text() != text(chart):
            stale.append(str(path))
    for path in stale:
        print(f"{path} is out of date: python charts/schema.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
