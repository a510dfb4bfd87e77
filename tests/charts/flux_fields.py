"""The documented fields of the Flux objects that deploy/flux uses, as JSON Schema: required ones, choices, patterns, and nothing unknown.
The project cannot ship Flux's own definitions; what Flux serves today is v1, of HelmRelease v2."""

from __future__ import annotations

DURATION = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"}
TEXT = {"type": "string", "minLength": 1}
FLAG = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": -1}
ANY = {"type": "object"}


def fields(required: str = "", **properties: dict) -> dict:
    """An object with these fields and no others; those in `required` must be there."""
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def many(item: dict) -> dict:
    return {"type": "array", "items": item}


def choice(*values: str) -> dict:
    return {"enum": list(values)}


NAMED = fields("name", name=TEXT, namespace=TEXT)
SECRET = fields("name", name=TEXT)
METADATA = fields("name", name={**TEXT, "maxLength": 53}, namespace={**TEXT, "maxLength": 63}, labels=ANY, annotations=ANY)
REMEDIATION = fields(retries=COUNT, remediateLastFailure=FLAG, strategy=choice("rollback", "uninstall"))

CHART = fields("spec", spec=fields(
    "chart sourceRef", chart=TEXT, version=TEXT, interval=DURATION, reconcileStrategy=choice("ChartVersion", "Revision"),
    valuesFiles=many(TEXT), sourceRef=fields("kind name", kind=choice("HelmRepository", "GitRepository", "Bucket"), name=TEXT, namespace=TEXT),
))  # fmt: skip
HELM_RELEASE = {
    **fields(
        "interval", interval=DURATION, chart=CHART, chartRef=fields("kind name", kind=choice("OCIRepository", "HelmChart", "ExternalArtifact"), name=TEXT, namespace=TEXT),
        values=ANY, valuesFrom=many(fields("kind name", kind=choice("Secret", "ConfigMap"), name=TEXT, valuesKey=TEXT, targetPath=TEXT, optional=FLAG)),
        targetNamespace=TEXT, releaseName={**TEXT, "maxLength": 53}, dependsOn=many(NAMED), timeout=DURATION, maxHistory=COUNT, suspend=FLAG,
        serviceAccountName=TEXT, kubeConfig=ANY, postRenderers=many(ANY),
        install=fields(crds=choice("Create", "CreateReplace", "Skip"), createNamespace=FLAG, remediation=REMEDIATION, timeout=DURATION),
        upgrade=fields(crds=choice("Create", "CreateReplace", "Skip"), remediation=REMEDIATION, force=FLAG, timeout=DURATION),
        driftDetection=fields(mode=choice("disabled", "warn", "enabled"), ignore=many(ANY)),
    ),
    "oneOf": [{"required": ["chart"]}, {"required": ["chartRef"]}],
}  # fmt: skip
KUSTOMIZATION = fields(
    "interval prune sourceRef", interval=DURATION, retryInterval=DURATION, timeout=DURATION, prune=FLAG, wait=FLAG, force=FLAG, suspend=FLAG, path=TEXT,
    targetNamespace=TEXT, serviceAccountName=TEXT, components=many(TEXT),
    sourceRef=fields("kind name", kind=choice("GitRepository", "OCIRepository", "Bucket", "ExternalArtifact"), name=TEXT, namespace=TEXT),
    dependsOn=many(NAMED), healthChecks=many(ANY), patches=many(fields("patch", patch=TEXT, target=ANY)),
    images=many(fields("name", name=TEXT, newName=TEXT, newTag=TEXT, digest=TEXT)),
    postBuild=fields(substitute=ANY, substituteFrom=many(fields("kind name", kind=choice("Secret", "ConfigMap"), name=TEXT, optional=FLAG))),
    decryption=fields("provider", provider=choice("sops"), secretRef=SECRET),
    deletionPolicy=choice("MirrorPrune", "Delete", "WaitForTermination", "Orphan"),
)  # fmt: skip
GIT_REPOSITORY = fields(
    "interval url", interval=DURATION, timeout=DURATION, url={"type": "string", "pattern": "^(http|https|ssh)://"}, secretRef=SECRET, ignore=TEXT,
    ref=fields(branch=TEXT, tag=TEXT, semver=TEXT, name=TEXT, commit=TEXT), provider=choice("generic", "azure", "github"), suspend=FLAG,
    recurseSubmodules=FLAG, sparseCheckout=many(TEXT), verify=ANY,
)  # fmt: skip
IMAGE_REPOSITORY = fields(
    "image interval", image={"type": "string", "pattern": r"^[^:/]+(:[0-9]+)?(/[^:/]+)+$"}, interval=DURATION, secretRef=SECRET, certSecretRef=SECRET,
    exclusionList=many(TEXT), suspend=FLAG,
)  # fmt: skip
ORDER = fields(order=choice("asc", "desc"))
IMAGE_POLICY = fields(
    "imageRepositoryRef policy", imageRepositoryRef=NAMED, filterTags=fields(pattern=TEXT, extract=TEXT), interval=DURATION,
    digestReflectionPolicy=choice("Never", "IfNotPresent", "Always"),
    policy={**fields(semver=fields("range", range=TEXT), numerical=ORDER, alphabetical=ORDER), "minProperties": 1, "maxProperties": 1},
)  # fmt: skip

SPECS = {
    ("helm.toolkit.fluxcd.io/v2", "HelmRelease"): HELM_RELEASE,
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"): KUSTOMIZATION,
    ("source.toolkit.fluxcd.io/v1", "GitRepository"): GIT_REPOSITORY,
    ("image.toolkit.fluxcd.io/v1", "ImageRepository"): IMAGE_REPOSITORY,
    ("image.toolkit.fluxcd.io/v1", "ImagePolicy"): IMAGE_POLICY,
}


def schema(api_version: str, kind: str) -> dict:
    return fields("apiVersion kind metadata spec", apiVersion=TEXT, kind=TEXT, metadata=METADATA, spec=SPECS[api_version, kind])
