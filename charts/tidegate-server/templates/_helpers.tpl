{{- define "tidegate-server.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tidegate-server.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tidegate-server.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* Takes root and component, as all that follow do that concern pods. */}}
{{- define "tidegate-server.selector" -}}
app.kubernetes.io/name: {{ include "tidegate-server.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ default "server" .component }}
{{- end -}}

{{- define "tidegate-server.labels" -}}
{{ include "tidegate-server.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Name, namespace, labels and annotations of an object. Takes the root and, where they differ, name, namespace, component. */}}
{{- define "tidegate-server.metadata" -}}
{{- $root := .root -}}
name: {{ default (include "tidegate-server.fullname" $root) .name }}
namespace: {{ default (include "tidegate-server.namespace" $root) .namespace }}
labels:
  {{- include "tidegate-server.labels" . | nindent 2 }}
  {{- with merge (dict) (default (dict) .labels) $root.Values.commonLabels }}
  {{- tpl (toYaml .) $root | nindent 2 }}
  {{- end }}
{{- $annotations := merge (dict) (default (dict) .annotations) $root.Values.commonAnnotations }}
{{- with $annotations }}
annotations:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tidegate-server.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tidegate-server.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tidegate-server.backgroundServiceAccount" -}}
{{- $account := .Values.backgroundServices.serviceAccount -}}
{{- if $account.create -}}
{{- default (printf "%s-background-services" (include "tidegate-server.fullname" .)) $account.name -}}
{{- else -}}
{{- default (include "tidegate-server.serviceAccount" .) $account.name -}}
{{- end -}}
{{- end -}}

{{- define "tidegate-server.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{- define "tidegate-server.pullPolicy" -}}
{{- default .Values.image.pullPolicy .Values.global.prefect.image.pullPolicy -}}
{{- end -}}

{{- define "tidegate-server.pullSecrets" -}}
{{- range concat .Values.image.pullSecrets (default (list) .Values.global.prefect.image.pullSecrets) | uniq }}
- name: {{ . }}
{{- end }}
{{- end -}}

{{- define "tidegate-server.cloudNativePgName" -}}
{{- default (printf "%s-db" (include "tidegate-server.fullname" .)) .Values.cloudNativePg.name -}}
{{- end -}}

{{/* Which database: sqlite, string, stringSecret, parts, cloudNativePg or secret. */}}
{{- define "tidegate-server.database" -}}
{{- $external := .Values.externalDatabase -}}
{{- $parts := "" -}}
{{- range list "driver" "username" "password" "host" "port" "name" -}}
{{- $parts = print $parts (get $external .) (get $external (printf "%sSecretKey" .)) -}}
{{- end -}}
{{- if .Values.sqlite.enabled -}}sqlite
{{- else if $external.connectionString -}}string
{{- else if and $external.existingSecret $external.connectionStringSecretKey -}}stringSecret
{{- else if $parts -}}parts
{{- else if .Values.cloudNativePg.enabled -}}cloudNativePg
{{- else if or (include "tidegate-server.ownSecret" .) .Values.secret.name (dig "auth" "existingSecret" "" .Values.postgresql) -}}secret
{{- else if eq (toString .Values.sqlite.enabled) "false" -}}none
{{- else -}}sqlite
{{- end -}}
{{- end -}}

{{/* Whether parts for a Secret of this chart's own are given. */}}
{{- define "tidegate-server.ownSecret" -}}
{{- with .Values.secret -}}
{{- if and .create (or .username .password .host .database) -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tidegate-server.databaseSecret" -}}
{{- default (printf "%s-postgresql-connection" (include "tidegate-server.fullname" .)) (default (dig "auth" "existingSecret" "" .Values.postgresql) .Values.secret.name) -}}
{{- end -}}

{{- define "tidegate-server.encryptionSecret" -}}
{{- if .Values.encryptionKey.existingSecret -}}
{{- .Values.encryptionKey.existingSecret -}}
{{- else if and .Values.encryptionKey.generate (ne (include "tidegate-server.database" .) "sqlite") -}}
{{- include "tidegate-server.fullname" . }}-encryption-key
{{- end -}}
{{- end -}}
