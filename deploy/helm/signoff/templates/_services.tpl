{{/*
Each service's own: `env`, by variable; `secrets`, variables of `existingSecret` that it is given as files; `folders` of
Secrets and ConfigMaps, by name; `ports` beside that of its health.
*/}}

{{- define "signoff.jobstore" -}}
ports: {grpc: 50051}
env:
  {{- include "signoff.kafka" . | nindent 2 }}
  SIGNOFF_TOPIC_REPLICATION: {{ .Values.kafka.replication | quote }}
  {{- if or .Values.database.caSecret .Values.cloudNativePG.enabled }}
  PGSSLROOTCERT: /run/secrets/database/ca.crt
  {{- end }}
  {{- with .Values.oidc }}
  {{- if .issuer }}
  SIGNOFF_OIDC_ISSUER: {{ .issuer | quote }}
  SIGNOFF_OIDC_CLIENT_ID: {{ .clientId | quote }}
  SIGNOFF_OIDC_DEVICE_CLIENT_ID: {{ .deviceClientId | quote }}
  SIGNOFF_OIDC_RULES: /run/secrets/sign-in/rules.toml
  {{- end }}
  {{- end }}
secrets:
  - SIGNOFF_TOKEN
  - SIGNOFF_EXECUTOR_TOKEN
  - SIGNOFF_VALIDATOR_TOKEN
  - SIGNOFF_CONSOLE_TOKEN
  - SIGNOFF_SECRETS
  - SIGNOFF_ID_KEY
  - SIGNOFF_DATABASE_URL
  {{- if .Values.database.migrateRole }}
  - SIGNOFF_MIGRATE_DATABASE_URL
  {{- end }}
folders:
  {{- if .Values.cloudNativePG.enabled }}
  database: {secret: {secretName: {{ .Release.Name }}-postgres-ca, items: [{key: ca.crt, path: ca.crt}]}}
  {{- else if .Values.database.caSecret }}
  database: {secret: {secretName: {{ .Values.database.caSecret }}, items: [{key: ca.crt, path: ca.crt}]}}
  {{- end }}
  {{- if .Values.oidc.issuer }}
  sign-in: {configMap: {name: {{ .Release.Name }}-sign-in}}
  {{- end }}
{{- end }}

{{- define "signoff.executor" -}}
env:
  {{- include "signoff.kafka" . | nindent 2 }}
  {{- include "signoff.client" . | nindent 2 }}
  SIGNOFF_AGENT_NETWORKS: {{ .Values.agents.networks | quote }}
  {{- if .Values.agents.headersSecret }}
  SIGNOFF_AGENT_HEADER_DIR: /run/secrets/agents
  {{- end }}
secrets: [SIGNOFF_EXECUTOR_TOKEN]
folders:
  {{- with .Values.agents.headersSecret }}
  agents: {secret: {secretName: {{ . }}}}
  {{- end }}
{{- end }}

{{- define "signoff.validator" -}}
env:
  {{- include "signoff.kafka" . | nindent 2 }}
  {{- include "signoff.client" . | nindent 2 }}
  {{- if .Values.judges.keysSecret }}
  SIGNOFF_JUDGE_KEY_DIR: /run/secrets/judges
  {{- end }}
secrets: [SIGNOFF_VALIDATOR_TOKEN, OPENAI_API_KEY]
folders:
  {{- with .Values.judges.keysSecret }}
  judges: {secret: {secretName: {{ . }}}}
  {{- end }}
{{- end }}

{{- define "signoff.console" -}}
ports: {http: 8080}
env:
  {{- include "signoff.client" . | nindent 2 }}
  {{- with .Values.oidc }}
  {{- if .issuer }}
  SIGNOFF_OIDC_ISSUER: {{ .issuer | quote }}
  SIGNOFF_OIDC_CLIENT_ID: {{ .clientId | quote }}
  SIGNOFF_OIDC_NAME: {{ .name | quote }}
  {{- end }}
  {{- end }}
secrets: [SIGNOFF_CONSOLE_TOKEN, SIGNOFF_SESSION_SECRET]
{{- end }}

{{- define "signoff.kafka" -}}
SIGNOFF_KAFKA: {{ if .Values.strimzi.enabled }}{{ .Release.Name }}-kafka-bootstrap:9092{{ else }}{{ .Values.kafka.bootstrap | quote }}{{ end }}
SIGNOFF_TOPIC_PREFIX: {{ .Values.kafka.topicPrefix | quote }}
{{- end }}

{{- define "signoff.client" -}}
SIGNOFF_JOBSTORE: {{ .Release.Name }}-jobstore.{{ .Release.Namespace }}.svc:50051
{{- end }}
