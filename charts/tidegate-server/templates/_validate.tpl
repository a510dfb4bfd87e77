{{/* Stops the rendering with a message that says which value to set. Names of other charts are answered here too. */}}
{{- define "tidegate-server.validate" -}}
{{- $database := include "tidegate-server.database" . -}}
{{- range $key := list "repository" "prefectTag" -}}
{{- if hasKey $.Values.global.prefect.image $key -}}
{{- fail (printf "global.prefect.image.%s names an image of Prefect: use image.repository and image.tag for Tidegate's" $key) -}}
{{- end -}}
{{- end -}}
{{- range $key := list "prefectApiUrl" "prefectApiHost" -}}
{{- if hasKey $.Values.global.prefect $key -}}
{{- fail (printf "global.prefect.%s has another name: use server.uiConfig.prefectUiApiUrl" $key) -}}
{{- end -}}
{{- end -}}
{{- range $old, $new := dict "image" "image" "publicApiUrl" "server.uiConfig.prefectUiApiUrl" -}}
{{- if hasKey $.Values.server $old -}}
{{- fail (printf "server.%s has another name: use %s" $old $new) -}}
{{- end -}}
{{- end -}}
{{- if hasKey .Values.server.uiConfig "prefectUiUrl" -}}
{{- fail "server.uiConfig.prefectUiUrl has another name: use server.uiConfig.prefectUiApiUrl" -}}
{{- end -}}
{{- if .Values.postgresql.enabled -}}
{{- fail "postgresql.enabled: this chart brings no PostgreSQL; name one in externalDatabase.*, or set cloudNativePg.enabled, or sqlite.enabled" -}}
{{- end -}}
{{- range $old, $new := dict "externalHostname" "secret.host" "useSubChart" "externalDatabase.*" -}}
{{- if hasKey $.Values.postgresql $old -}}
{{- fail (printf "postgresql.%s has another name: use %s" $old $new) -}}
{{- end -}}
{{- end -}}
{{- if .Values.redis.enabled -}}
{{- fail "redis.enabled: Tidegate needs no Redis, also with several servers or separate background services; remove it" -}}
{{- end -}}
{{- if eq $database "none" -}}
{{- fail "sqlite.enabled is false and no other database is named: set externalDatabase.*, cloudNativePg.enabled or secret.*" -}}
{{- end -}}
{{- if and (eq $database "secret") (include "tidegate-server.ownSecret" .) -}}
{{- range $key := list "username" "password" "host" "database" -}}
{{- if not (get $.Values.secret $key) -}}
{{- fail (printf "secret.%s is required with the other parts of secret" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq $database "parts" -}}
{{- range $key := list "username" "password" "host" "name" -}}
{{- if not (or (get $.Values.externalDatabase $key) (get $.Values.externalDatabase (printf "%sSecretKey" $key))) -}}
{{- fail (printf "externalDatabase.%s (or externalDatabase.%sSecretKey) is required with the other parts of the address" $key $key) -}}
{{- end -}}
{{- if and (get $.Values.externalDatabase (printf "%sSecretKey" $key)) (not $.Values.externalDatabase.existingSecret) -}}
{{- fail (printf "externalDatabase.%sSecretKey needs externalDatabase.existingSecret" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq $database "sqlite" -}}
{{- if or (gt (int .Values.server.replicaCount) 1) .Values.server.autoscaling.enabled -}}
{{- fail "SQLite is for one server: set externalDatabase.* or cloudNativePg.enabled for server.replicaCount above 1 or server.autoscaling" -}}
{{- end -}}
{{- if .Values.backgroundServices.runAsSeparateDeployment -}}
{{- fail "SQLite is for one process: set externalDatabase.* or cloudNativePg.enabled for backgroundServices.runAsSeparateDeployment" -}}
{{- end -}}
{{- else if not (include "tidegate-server.encryptionSecret" .) -}}
{{- fail "PostgreSQL needs a key for the secrets in blocks: set encryptionKey.existingSecret or encryptionKey.generate" -}}
{{- end -}}
{{- with .Values.server.basicAuth -}}
{{- if and .enabled (not .existingSecret) (not .authString) -}}
{{- fail "server.basicAuth needs a Secret with the key auth-string (server.basicAuth.existingSecret) or authString" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.gateway.enabled .Values.ingress.enabled -}}
{{- fail "gateway.enabled and ingress.enabled exclude each other" -}}
{{- end -}}
{{- if and .Values.gateway.enabled .Values.gateway.create (not .Values.gateway.className) -}}
{{- fail "gateway.className is required with gateway.enabled" -}}
{{- end -}}
{{- if and .Values.gateway.enabled .Values.httproute.enabled (not .Values.gateway.create) -}}
{{- range .Values.httproute.parentRefs -}}
{{- if not (or .name $.Values.gateway.name) -}}
{{- fail "httproute.parentRefs needs names when gateway.create is false" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
