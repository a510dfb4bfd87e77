{{- define "tidegate-worker.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tidegate-worker.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tidegate-worker.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "tidegate-worker.selector" -}}
app.kubernetes.io/name: {{ include "tidegate-worker.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end -}}

{{- define "tidegate-worker.labels" -}}
{{ include "tidegate-worker.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Name, namespace, labels and annotations of an object. Takes the root and, if it is not the fullname, a name and a namespace. */}}
{{- define "tidegate-worker.metadata" -}}
{{- $root := .root -}}
name: {{ default (include "tidegate-worker.fullname" $root) .name }}
{{- if not .global }}
namespace: {{ default (include "tidegate-worker.namespace" $root) .namespace }}
{{- end }}
labels:
  {{- include "tidegate-worker.labels" $root | nindent 2 }}
  {{- with $root.Values.commonLabels }}
  {{- tpl (toYaml .) $root | nindent 2 }}
  {{- end }}
{{- $annotations := merge (dict) (default (dict) .annotations) $root.Values.commonAnnotations }}
{{- with $annotations }}
annotations:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tidegate-worker.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tidegate-worker.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tidegate-worker.image" -}}
{{- printf "%s:%s" .Values.worker.image.repository (default .Chart.AppVersion .Values.worker.image.tag) -}}
{{- end -}}

{{/* The section of the chosen API. */}}
{{- define "tidegate-worker.apiSection" -}}
{{- printf "%sApiConfig" .Values.worker.apiConfig -}}
{{- end -}}

{{- define "tidegate-worker.apiUrl" -}}
{{- $section := get .Values.worker (include "tidegate-worker.apiSection" .) -}}
{{- if eq .Values.worker.apiConfig "selfHostedServer" -}}
{{- $section.apiUrl -}}
{{- else if eq .Values.worker.apiConfig "cloud" -}}
{{- printf "%s/accounts/%s/workspaces/%s" $section.cloudUrl $section.accountId $section.workspaceId -}}
{{- else -}}
{{- printf "%s/accounts/%s/workspaces/%s" $section.apiUrl $section.accountId $section.workspaceId -}}
{{- end -}}
{{- end -}}

{{/* The namespaces that Jobs are made in, as JSON: the release's own, and those that are listed. */}}
{{- define "tidegate-worker.namespaces" -}}
{{- $names := list (include "tidegate-worker.namespace" .) -}}
{{- if .Values.worker.config.jobNamespace -}}
{{- range splitList "," .Values.worker.config.jobNamespace -}}
{{- $names = append $names (trim .) -}}
{{- end -}}
{{- end -}}
{{- $names = concat $names .Values.worker.config.namespaces -}}
{{- without $names "" | uniq | toJson -}}
{{- end -}}

{{- define "tidegate-worker.clusterUid" -}}
{{- if .Values.worker.clusterUid -}}
{{- .Values.worker.clusterUid -}}
{{- else -}}
{{- $system := lookup "v1" "Namespace" "" "kube-system" -}}
{{- with $system }}{{ .metadata.uid }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "tidegate-worker.templateConfigMap" -}}
{{- with .Values.worker.config.baseJobTemplate -}}
{{- if .existingConfigMapName -}}
{{- .existingConfigMapName -}}
{{- else if .configuration -}}
{{- default (printf "%s-base-job-template" (include "tidegate-worker.fullname" $)) .name -}}
{{- end -}}
{{- end -}}
{{- end -}}
