{{/* The template of a pod. Takes root, section (server or backgroundServices), component, account and arguments of the program;
     the rest is the section's. */}}
{{- define "tidegate-server.pod" -}}
{{- $root := .root -}}
{{- $section := get $root.Values .section -}}
{{- $server := $root.Values.server -}}
{{- $isServer := eq .section "server" -}}
{{- $tls := and $root.Values.externalDatabase.tls.existingSecret (ne (include "tidegate-server.database" $root) "sqlite") -}}
metadata:
  labels:
    {{- include "tidegate-server.labels" . | nindent 4 }}
    {{- with $section.podLabels }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
  {{- with $section.podAnnotations }}
  annotations:
    {{- tpl (toYaml .) $root | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ .account }}
  automountServiceAccountToken: {{ $section.automountServiceAccountToken }}
  {{- /* Services named tidegate-… would put TIDEGATE_… variables into the pod. */}}
  enableServiceLinks: false
  {{- with include "tidegate-server.pullSecrets" $root | trim }}
  imagePullSecrets:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with default $server.podSecurityContext $section.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $server.hostNetwork }}
  hostNetwork: true
  {{- end }}
  {{- with $section.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if not (kindIs "invalid" $section.terminationGracePeriodSeconds) }}
  terminationGracePeriodSeconds: {{ $section.terminationGracePeriodSeconds }}
  {{- end }}
  {{- with $section.extraInitContainers }}
  initContainers:
    {{- tpl (toYaml .) $root | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ if $isServer }}tidegate-server{{ else }}tidegate-background-services{{ end }}
      image: {{ include "tidegate-server.image" $root }}
      imagePullPolicy: {{ include "tidegate-server.pullPolicy" $root }}
      {{- with $section.command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      args:
        {{- toYaml (default .arguments $section.args) | nindent 8 }}
      env:
        {{- include "tidegate-server.environment" . | nindent 8 }}
      {{- if or $section.extraEnvVarsCM $section.extraEnvVarsSecret }}
      envFrom:
        {{- with $section.extraEnvVarsCM }}
        - configMapRef:
            name: {{ tpl . $root }}
        {{- end }}
        {{- with $section.extraEnvVarsSecret }}
        - secretRef:
            name: {{ tpl . $root }}
        {{- end }}
      {{- end }}
      {{- if $isServer }}
      ports:
        - name: http
          containerPort: {{ $root.Values.service.targetPort }}
      {{- $base := $server.apiBasePath | trimSuffix "/" }}
      {{- $paths := dict "startupProbe" "health" "livenessProbe" "health" "readinessProbe" "ready" }}
      {{- range $probe, $path := $paths }}
      {{- $values := get $server $probe }}
      {{- if $values.enabled }}
      {{ $probe }}:
        httpGet:
          path: {{ default (printf "%s/%s" $base $path) (tpl (default "" $values.path) $root) }}
          port: http
        {{- toYaml (omit $values "enabled" "path") | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- with $section.lifecycle }}
      lifecycle:
        {{- tpl (toYaml .) $root | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- with $section.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with default $server.containerSecurityContext $section.containerSecurityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: data
          mountPath: /data
        - name: scratch
          mountPath: /tmp
        {{- if $tls }}
        - name: database-authorities
          mountPath: /etc/tidegate/database
          readOnly: true
        {{- end }}
        {{- with $section.extraVolumeMounts }}
        {{- tpl (toYaml .) $root | nindent 8 }}
        {{- end }}
    {{- with $section.extraContainers }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
  volumes:
    - name: data
      {{- if and (eq (include "tidegate-server.database" $root) "sqlite") $root.Values.sqlite.persistence.enabled }}
      persistentVolumeClaim:
        claimName: {{ include "tidegate-server.fullname" $root }}-sqlite
      {{- else }}
      emptyDir: {}
      {{- end }}
    - name: scratch
      emptyDir: {}
    {{- if $tls }}
    - name: database-authorities
      secret:
        secretName: {{ $root.Values.externalDatabase.tls.existingSecret }}
        items:
          - key: {{ $root.Values.externalDatabase.tls.key }}
            path: ca.crt
    {{- end }}
    {{- with $section.extraVolumes }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
  {{- range $key := list "affinity" "nodeSelector" "tolerations" }}
  {{- with get $section $key }}
  {{ $key }}:
    {{- tpl (toYaml .) $root | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- $selector := dict "labelSelector" (dict "matchLabels" (include "tidegate-server.selector" . | fromYaml)) }}
  {{- with $section.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{- tpl (toYaml (merge (dict) . $selector)) $root | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end -}}
