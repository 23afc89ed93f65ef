{{/*
What each service has of its own: `env`, by variable; `secrets`, the variables of `existingSecret` that it is given as
files; `folders` of other Secrets or ConfigMaps, by name, with the keys that they are to have; `ports` beside that of its health;
`claims` of volumes, by name, with their place; `environments`, Secrets of variables; its `account`; and its `program`, in the image of
another service.
*/}}

{{- define "signoff.jobstore" -}}
ports: {grpc: 50051}
env:
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
  {{- include "signoff.kept" . | nindent 2 }}
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
  database: {secret: {{ .Release.Name }}-postgres-ca, keys: [ca.crt]}
  {{- else if .Values.database.caSecret }}
  database: {secret: {{ .Values.database.caSecret }}, keys: [ca.crt]}
  {{- end }}
  {{- if .Values.oidc.issuer }}
  sign-in: {configMap: {{ .Release.Name }}-sign-in}
  {{- end }}
{{- with .Values.archive }}
account: {{ .serviceAccount | quote }}
environments: {{ list .credentialsSecret | compact | toJson }}
claims:
  {{- if .volume }}
  archive: {claim: {{ $.Release.Name }}-archive, path: /var/lib/signoff}
  {{- end }}
{{- end }}
{{- end }}

{{/* Where facts are archived, and for how long, and how much, is kept: each value that is given, as its variable. */}}
{{- define "signoff.kept" -}}
{{- with .Values.archive }}
{{- if .volume }}
SIGNOFF_ARCHIVE: /var/lib/signoff/archive
SIGNOFF_DISKS: /var/lib/signoff
{{- else if .bucket }}
SIGNOFF_ARCHIVE: {{ .bucket | quote }}
{{- end }}
{{- end }}
{{- with .Values.kept.factsGroups }}
SIGNOFF_FACTS_GROUPS: {{ . | quote }}
{{- end }}
{{- with .Values.kept.fullAt }}
SIGNOFF_STORAGE_FULL_AT: {{ . | quote }}
{{- end }}
{{- $numbers := dict
  "ARCHIVE_EVERY_S" .Values.archive.everyS
  "CHECKPOINT_EVERY_S" .Values.archive.checkpointEveryS
  "ARCHIVE_KEPT_S" .Values.archive.keptS
  "REMOVED_KEPT_S" .Values.kept.removedS
  "FACTS_KEPT_S" .Values.kept.factsS
  "WORK_KEPT_S" .Values.kept.workS
  "DEAD_LETTERS_KEPT_S" .Values.kept.deadLettersS
  "DEAD_LETTERS_MAX_BYTES" .Values.kept.deadLettersMaxBytes
  "DATABASE_MAX_BYTES" .Values.kept.databaseMaxBytes
}}
{{- range $name, $value := $numbers }}
{{- if $value }}
SIGNOFF_{{ $name }}: {{ int64 $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "signoff.traces" -}}
program: {image: jobstore, command: [python, -m, jobstore.tracing]}
env:
  SIGNOFF_OTLP_ENDPOINT: {{ .Values.traces.endpoint | quote }}
  SIGNOFF_TRACE_CONTENT: {{ .Values.traces.content | quote }}
secrets: []
environments: {{ list .Values.traces.headersSecret | compact | toJson }}
{{- end }}

{{- define "signoff.executor" -}}
env:
  SIGNOFF_AGENT_NETWORKS: {{ .Values.agents.networks | quote }}
  {{- if .Values.agents.headersSecret }}
  SIGNOFF_AGENT_HEADER_DIR: /run/secrets/agents
  {{- end }}
secrets: [SIGNOFF_EXECUTOR_TOKEN]
folders:
  {{- with .Values.agents.headersSecret }}
  agents: {secret: {{ . }}}
  {{- end }}
{{- end }}

{{- define "signoff.validator" -}}
env:
  {{- if .Values.judges.keysSecret }}
  SIGNOFF_JUDGE_KEY_DIR: /run/secrets/judges
  {{- end }}
  {{- if .Values.judges.byRules }}
  SIGNOFF_JUDGE_WITHOUT_KEY: http://{{ .Release.Name }}-judge.{{ .Release.Namespace }}.svc:8090/v1
  {{- end }}
secrets: [SIGNOFF_VALIDATOR_TOKEN]
folders:
  {{- with .Values.judges.keysSecret }}
  judges: {secret: {{ . }}}
  {{- end }}
{{- end }}

{{- define "signoff.console" -}}
ports: {http: 8080}
env:
  {{- with .Values.oidc }}
  {{- if .issuer }}
  SIGNOFF_OIDC_ISSUER: {{ .issuer | quote }}
  SIGNOFF_OIDC_CLIENT_ID: {{ .clientId | quote }}
  SIGNOFF_OIDC_NAME: {{ .name | quote }}
  {{- end }}
  {{- end }}
  {{- with .Values.traces.url }}
  SIGNOFF_TRACE_URL: {{ . | quote }}
  {{- end }}
secrets: [SIGNOFF_CONSOLE_TOKEN, SIGNOFF_SESSION_SECRET]
{{- end }}
