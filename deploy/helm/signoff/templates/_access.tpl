{{/* How a service reaches Kafka and the jobstores, and who it is there: `env` and `folders`, of (list $ "executor"). */}}

{{- define "signoff.kafka" -}}
{{- $name := index . 1 }}
{{- if ne $name "console" }}
{{- with index . 0 }}
{{- $kafka := .Values.kafka }}
{{- $whose := $name | replace "traces" "jobstore" }}
{{- $user := index $kafka.users $whose }}
{{- if .Values.strimzi.enabled }}
{{- $user = dict "name" (printf "%s-kafka-%s" .Release.Name $whose) "secret" (printf "%s-kafka-%s" .Release.Name $whose) }}
{{- $kafka = include "signoff.strimzi" . | fromYaml }}
{{- end }}
{{- $files := list }}
env:
  SIGNOFF_KAFKA: {{ $kafka.bootstrap | quote }}
  SIGNOFF_TOPIC_PREFIX: {{ .Values.kafka.topicPrefix | quote }}
  {{- if ne $kafka.security "PLAINTEXT" }}
  SIGNOFF_KAFKA_SECURITY: {{ $kafka.security }}
  {{- end }}
  {{- if eq $name "jobstore" }}
  SIGNOFF_TOPIC_REPLICATION: {{ $kafka.replication | quote }}
  {{- end }}
  {{- if hasPrefix "SASL" $kafka.security }}
  SIGNOFF_KAFKA_MECHANISM: {{ $kafka.mechanism }}
  {{- if eq $kafka.mechanism "OAUTHBEARER" }}
  {{- $files = list "token" }}
  SIGNOFF_KAFKA_TOKEN_FILE: /run/secrets/kafka/token
  {{- else }}
  {{- $files = list "password" }}
  SIGNOFF_KAFKA_USER: {{ $user.name }}
  SIGNOFF_KAFKA_PASSWORD_FILE: /run/secrets/kafka/password
  {{- end }}
  {{- else if eq $kafka.security "SSL" }}
  {{- $files = list "tls.crt" "tls.key" }}
  SIGNOFF_KAFKA_CERTIFICATE: /run/secrets/kafka/tls.crt
  SIGNOFF_KAFKA_KEY: /run/secrets/kafka/tls.key
  {{- end }}
  {{- if $kafka.caSecret }}
  SIGNOFF_KAFKA_CA: /run/secrets/kafka-ca/ca.crt
  {{- end }}
folders:
  {{- if $files }}
  kafka: {secret: {{ $user.secret }}, keys: {{ toJson $files }}}
  {{- end }}
  {{- with $kafka.caSecret }}
  kafka-ca: {secret: {{ . }}, keys: [ca.crt]}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The values of `kafka` where Strimzi runs it. */}}
{{- define "signoff.strimzi" -}}
bootstrap: {{ .Release.Name }}-kafka-bootstrap:9093
security: SASL_SSL
mechanism: SCRAM-SHA-512
caSecret: {{ .Release.Name }}-cluster-ca-cert
replication: {{ min .Values.kafka.replication .Values.strimzi.replicas }}
{{- end }}

{{- define "signoff.grpc" -}}
{{- $name := index . 1 }}
{{- with index . 0 }}
{{- $server := .Values.grpc.serverSecret }}
{{- $client := .Values.grpc.clientSecret }}
{{- if eq $name "jobstore" }}
{{- if $server }}
env:
  SIGNOFF_GRPC_CERTIFICATE: /run/secrets/grpc/tls.crt
  SIGNOFF_GRPC_KEY: /run/secrets/grpc/tls.key
  {{- if $client }}
  SIGNOFF_GRPC_CLIENT_CA: /run/secrets/grpc/ca.crt
  {{- end }}
folders:
  grpc: {secret: {{ $server }}, keys: [ca.crt, tls.crt, tls.key]}
{{- end }}
{{- else if ne $name "traces" }}
env:
  SIGNOFF_JOBSTORE: {{ .Release.Name }}-jobstore.{{ .Release.Namespace }}.svc:50051
  {{- if $server }}
  SIGNOFF_JOBSTORE_CA: /run/secrets/grpc/ca.crt
  {{- end }}
  {{- if $client }}
  SIGNOFF_JOBSTORE_CERTIFICATE: /run/secrets/grpc/tls.crt
  SIGNOFF_JOBSTORE_KEY: /run/secrets/grpc/tls.key
folders:
  grpc: {secret: {{ $client }}, keys: [ca.crt, tls.crt, tls.key]}
  {{- else if $server }}
folders:
  grpc: {secret: {{ $server }}, keys: [ca.crt]}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}
