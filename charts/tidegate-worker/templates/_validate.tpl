{{/* Stops the rendering with a message that says which value to set. Names of other charts are answered here too. */}}
{{- define "tidegate-worker.validate" -}}
{{- $worker := .Values.worker -}}
{{- $renamed := dict
  "serverApiConfig" "worker.selfHostedServerApiConfig"
  "selfHostedCloudApiConfig" "worker.customerManagedCloudApiConfig"
  "basicAuth" "worker.selfHostedServerApiConfig.basicAuth" -}}
{{- range $old, $new := $renamed -}}
{{- if hasKey $worker $old -}}
{{- fail (printf "worker.%s has another name: use %s" $old $new) -}}
{{- end -}}
{{- end -}}
{{- $apis := dict "server" "selfHostedServer" "selfManaged" "customerManagedCloud" -}}
{{- if hasKey $apis $worker.apiConfig -}}
{{- fail (printf "worker.apiConfig %s has another name: use %s" $worker.apiConfig (get $apis $worker.apiConfig)) -}}
{{- end -}}
{{- if hasKey $worker.image "prefectTag" -}}
{{- fail "worker.image.prefectTag names an image of Prefect: use worker.image.tag (and worker.image.repository) for Tidegate's, and the pool's `image` for flow runs" -}}
{{- end -}}
{{- if kindIs "string" $worker.config.baseJobTemplate -}}
{{- fail "worker.config.baseJobTemplate is a section: use worker.config.baseJobTemplate.configuration" -}}
{{- end -}}
{{- range $old, $new := dict "workPool" "worker.config.workPool" "workQueueName" "worker.config.workQueues" "accountId" "worker.cloudApiConfig.accountId" "workspaceId" "worker.cloudApiConfig.workspaceId" "image" "worker.image" "env" "worker.extraEnvVars" "imagePullSecrets" "worker.image.pullSecrets" "replicaCount" "worker.replicaCount" "resources" "worker.resources" -}}
{{- if hasKey $.Values $old -}}
{{- fail (printf "%s is no value of this chart: use %s" $old $new) -}}
{{- end -}}
{{- end -}}
{{- if .Values.role.namespace -}}
{{- fail "role.namespace: the Role is made in each namespace that Jobs are made in; use worker.config.namespaces" -}}
{{- end -}}
{{- if not $worker.config.workPool -}}
{{- fail "A Work Pool Name is required (worker.config.workPool)" -}}
{{- end -}}
{{- if eq $worker.apiConfig "selfHostedServer" -}}
{{- if not $worker.selfHostedServerApiConfig.apiUrl -}}
{{- fail "The Server API URL is required (worker.selfHostedServerApiConfig.apiUrl)" -}}
{{- end -}}
{{- else -}}
{{- $name := include "tidegate-worker.apiSection" . -}}
{{- $section := get $worker $name -}}
{{- $needed := dict "accountId" "An Account ID" "workspaceId" "A Workspace ID" -}}
{{- if eq $worker.apiConfig "customerManagedCloud" -}}
{{- $_ := set $needed "apiUrl" "An API URL" -}}
{{- end -}}
{{- range $key, $what := $needed -}}
{{- if not (get $section $key) -}}
{{- fail (printf "%s is required (worker.%s.%s)" $what $name $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $worker.selfHostedServerApiConfig.basicAuth -}}
{{- if and .enabled (not .existingSecret) (not .authString) -}}
{{- fail "basicAuth needs a Secret with the key auth-string (worker.selfHostedServerApiConfig.basicAuth.existingSecret) or authString" -}}
{{- end -}}
{{- end -}}
{{- if and $worker.autoscaling.enabled $worker.keda.enabled -}}
{{- fail "worker.autoscaling and worker.keda exclude each other: both set the number of replicas" -}}
{{- end -}}
{{- if and $worker.keda.enabled (not $worker.keda.triggers) (not $worker.keda.workQueueId) -}}
{{- fail "worker.keda needs worker.keda.workQueueId or worker.keda.triggers" -}}
{{- end -}}
{{- if and $worker.config.name (or (gt (int $worker.replicaCount) 1) $worker.autoscaling.enabled $worker.keda.enabled) -}}
{{- if not (contains "{{" $worker.config.name) -}}
{{- fail "worker.config.name: replicas need names of their own; leave it unset" -}}
{{- end -}}
{{- end -}}
{{- end -}}
