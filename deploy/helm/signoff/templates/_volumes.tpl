{{/* What a pod has mounted, in the same order: a place for files of its own, `folders` and `claims` (_services.tpl). */}}

{{- define "signoff.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- range $folder, $_ := index . 0 }}
- {name: {{ $folder }}, mountPath: /run/secrets/{{ $folder }}, readOnly: true}
{{- end }}
{{- range $claim, $of := index . 1 }}
- {name: {{ $claim }}, mountPath: {{ $of.path }}}
{{- end }}
{{- end }}

{{- define "signoff.volumes" -}}
- name: tmp
  emptyDir: {}
{{- range $folder, $of := index . 0 }}
- name: {{ $folder }}
  {{- if $of.configMap }}
  configMap: {name: {{ $of.configMap }}}
  {{- else }}
  secret:
    secretName: {{ $of.secret }}
    defaultMode: 0440
    {{- with $of.keys }}
    items:
      {{- range . }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
    {{- end }}
  {{- end }}
{{- end }}
{{- range $claim, $of := index . 1 }}
- name: {{ $claim }}
  persistentVolumeClaim: {claimName: {{ $of.claim }}}
{{- end }}
{{- end }}
