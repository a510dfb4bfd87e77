{{- define "tidegate-server.databaseEnvironment" -}}
{{- $kind := include "tidegate-server.database" . -}}
{{- $external := .Values.externalDatabase -}}
{{- if eq $kind "sqlite" }}
- name: PREFECT_SERVER_DATABASE_CONNECTION_URL
  value: sqlite:////data/tidegate.db
{{- else if eq $kind "string" }}
- name: PREFECT_SERVER_DATABASE_CONNECTION_URL
  value: {{ $external.connectionString | quote }}
{{- else if eq $kind "parts" }}
{{- /* The server makes one address of them: what a user or a password holds needs no escaping. */}}
{{- range $key, $setting := dict "driver" "DRIVER" "username" "USER" "password" "PASSWORD" "host" "HOST" "port" "PORT" "name" "NAME" }}
{{- $secretKey := get $external (printf "%sSecretKey" $key) }}
{{- $value := get $external $key }}
{{- if $secretKey }}
- name: PREFECT_SERVER_DATABASE_{{ $setting }}
  valueFrom:
    secretKeyRef:
      name: {{ $external.existingSecret }}
      key: {{ $secretKey }}
{{- else if or $value (eq $key "driver") }}
- name: PREFECT_SERVER_DATABASE_{{ $setting }}
  value: {{ default "postgresql+asyncpg" $value | quote }}
{{- end }}
{{- end }}
{{- else }}
- name: PREFECT_SERVER_DATABASE_CONNECTION_URL
  valueFrom:
    secretKeyRef:
      {{- if eq $kind "stringSecret" }}
      name: {{ $external.existingSecret }}
      key: {{ $external.connectionStringSecretKey }}
      {{- else if eq $kind "cloudNativePg" }}
      name: {{ include "tidegate-server.cloudNativePgName" . }}-app
      key: uri
      {{- else }}
      name: {{ include "tidegate-server.databaseSecret" . }}
      key: connection-string
      {{- end }}
{{- end }}
{{- if and $external.tls.existingSecret (ne $kind "sqlite") }}
- name: PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_ENABLED
  value: "true"
- name: PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_CA_FILE
  value: /etc/tidegate/database/ca.crt
{{- end }}
{{- end -}}

{{/* Takes root and section (server or backgroundServices). */}}
{{- define "tidegate-server.environment" -}}
{{- $root := .root -}}
{{- $server := $root.Values.server -}}
- name: HOME
  value: /data
- name: TIDEGATE_HOME
  value: /data
{{- include "tidegate-server.databaseEnvironment" $root }}
{{- with include "tidegate-server.encryptionSecret" $root }}
- name: TIDEGATE_SERVER_ENCRYPTION_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $root.Values.encryptionKey.key }}
{{- end }}
- name: PREFECT_LOGGING_SERVER_LEVEL
  value: {{ $server.loggingLevel | quote }}
- name: TIDEGATE_LOGGING_FORMAT
  value: {{ $server.loggingFormat | quote }}
{{- if $server.debug }}
- name: PREFECT_DEBUG_MODE
  value: "true"
{{- end }}
{{- if eq .section "server" }}
- name: PREFECT_SERVER_API_BASE_PATH
  value: {{ $server.apiBasePath | quote }}
{{- if $server.basicAuth.enabled }}
- name: PREFECT_SERVER_API_AUTH_STRING
  {{- if $server.basicAuth.existingSecret }}
  valueFrom:
    secretKeyRef:
      name: {{ $server.basicAuth.existingSecret }}
      key: auth-string
  {{- else }}
  value: {{ $server.basicAuth.authString | quote }}
  {{- end }}
{{- end }}
{{- with $server.apiKeys }}
{{- if .existingSecret }}
- name: TIDEGATE_SERVER_API_KEYS
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- with $server.uiConfig.prefectUiApiUrl }}
- name: PREFECT_UI_API_URL
  value: {{ tpl . $root | quote }}
{{- end }}
{{- with $server.uiConfig.from }}
- name: TIDEGATE_SERVER_UI_FROM
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with concat $root.Values.global.prefect.env (get (get $root.Values .section) "env") }}
{{ tpl (toYaml .) $root }}
{{- end }}
{{- end -}}
