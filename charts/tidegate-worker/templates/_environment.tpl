{{/* What both the worker and its init container need to reach the API. */}}
{{- define "tidegate-worker.apiEnvironment" -}}
{{- $section := get .Values.worker (include "tidegate-worker.apiSection" .) -}}
- name: HOME
  value: /data
- name: TIDEGATE_HOME
  value: /data
- name: PREFECT_API_URL
  value: {{ include "tidegate-worker.apiUrl" . | quote }}
{{- if ne .Values.worker.apiConfig "selfHostedServer" }}
- name: PREFECT_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ $section.apiKeySecret.name }}
      key: {{ $section.apiKeySecret.key }}
{{- end }}
{{- with .Values.worker.selfHostedServerApiConfig.basicAuth }}
{{- if .enabled }}
- name: PREFECT_API_AUTH_STRING
  {{- if .existingSecret }}
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: auth-string
  {{- else }}
  value: {{ .authString | quote }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "tidegate-worker.environment" -}}
{{- $section := get .Values.worker (include "tidegate-worker.apiSection" .) -}}
{{- $auth := .Values.worker.selfHostedServerApiConfig.basicAuth -}}
{{ include "tidegate-worker.apiEnvironment" . }}
- name: PREFECT_WORKER_PREFETCH_SECONDS
  value: {{ .Values.worker.config.prefetchSeconds | quote }}
- name: PREFECT_WORKER_QUERY_SECONDS
  value: {{ .Values.worker.config.queryInterval | quote }}
- name: PREFECT_API_ENABLE_HTTP2
  value: {{ .Values.worker.config.http2 | quote }}
{{- with include "tidegate-worker.clusterUid" . }}
- name: PREFECT_INTEGRATIONS_KUBERNETES_CLUSTER_UID
  value: {{ . | quote }}
{{- end }}
{{- if not .Values.worker.config.observerClusterWide }}
- name: PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES
  value: {{ include "tidegate-worker.namespaces" . | fromJsonArray | join "," | quote }}
{{- end }}
{{- if eq .Values.worker.apiConfig "customerManagedCloud" }}
- name: PREFECT_CLOUD_API_URL
  value: {{ $section.cloudApiUrl | quote }}
{{- with $section.cloudUiUrl }}
- name: PREFECT_CLOUD_UI_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if ne .Values.worker.apiConfig "selfHostedServer" }}
{{- if eq $section.jobApiKeyPropagation "secretRef" }}
- name: PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_KEY_SECRET_NAME
  value: {{ $section.apiKeySecret.name | quote }}
- name: PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_KEY_SECRET_KEY
  value: {{ $section.apiKeySecret.key | quote }}
{{- else if eq $section.jobApiKeyPropagation "autoSecret" }}
- name: PREFECT_INTEGRATIONS_KUBERNETES_WORKER_CREATE_SECRET_FOR_API_KEY
  value: "true"
{{- end }}
{{- end }}
{{- if and $auth.enabled $auth.existingSecret }}
- name: PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET_NAME
  value: {{ $auth.existingSecret | quote }}
- name: PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET_KEY
  value: auth-string
{{- end }}
{{- if .Values.worker.image.debug }}
- name: PREFECT_DEBUG_MODE
  value: "true"
{{- end }}
# The pod's own name and namespace: replicas of one worker tell each other apart by them.
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- with .Values.worker.extraEnvVars }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end -}}

{{/* ConfigMaps and Secrets whose keys become variables, as a list; nothing if there are none. */}}
{{- define "tidegate-worker.environmentFrom" -}}
{{- range without (append .Values.worker.extraEnvVarsCMs .Values.worker.extraEnvVarsCM) "" }}
- configMapRef:
    name: {{ tpl . $ }}
{{- end }}
{{- range without (append .Values.worker.extraEnvVarsSecrets .Values.worker.extraEnvVarsSecret) "" }}
- secretRef:
    name: {{ tpl . $ }}
{{- end }}
{{- end -}}
