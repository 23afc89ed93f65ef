{{/* Labels of an object, and of pods by which they are found: of (list $ "jobstore"). */}}
{{- define "signoff.selector" -}}
app.kubernetes.io/name: signoff
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "signoff.labels" -}}
{{ include "signoff.selector" . }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: signoff-{{ (index . 0).Chart.Version }}
{{- end }}
