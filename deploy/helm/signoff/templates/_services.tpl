{{/*
What each service has of its own: `env`, by variable; `secrets`, the variables of `existingSecret` that it is given as
files; `folders` of other Secrets or ConfigMaps, by name, with the keys that they are to have; `ports` beside that of its health.
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
secrets: [SIGNOFF_CONSOLE_TOKEN, SIGNOFF_SESSION_SECRET]
{{- end }}
