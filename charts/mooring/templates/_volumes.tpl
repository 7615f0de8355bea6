{{/* What is mounted where: names and places of the two lists belong together. */}}
{{- define "mooring.mounts" -}}
- {name: state, mountPath: /var/lib/mooring}
- {name: tmp, mountPath: /tmp}
{{- if .Values.git.token.secret }}
- {name: git-token, mountPath: /etc/mooring/git/token, readOnly: true}
{{- end }}
{{- if .Values.git.githubApp.secret }}
- {name: git-app, mountPath: /etc/mooring/git/app, readOnly: true}
{{- end }}
{{- if .Values.git.ssh.secret }}
- {name: git-ssh, mountPath: /etc/mooring/git/ssh, readOnly: true}
{{- end }}
{{- if .Values.git.ca.configMap }}
- {name: git-ca, mountPath: /etc/mooring/git/ca, readOnly: true}
{{- end }}
{{- if .Values.token.secret }}
- {name: token, mountPath: /etc/mooring/token, readOnly: true}
{{- end }}
{{- if .Values.tls.secret }}
- {name: tls, mountPath: /etc/mooring/tls, readOnly: true}
{{- end }}
{{- range $i, $secret := .Values.secretMounts }}
- {name: secret-{{ $i }}, mountPath: /etc/mooring/secrets/{{ $secret }}, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "mooring.volumes" -}}
- name: state
{{- if .Values.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ .Values.persistence.existingClaim | default (include "mooring.name" .) }}
{{- else }}
  emptyDir: {}
{{- end }}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- with .Values.git.token.secret }}
- name: git-token
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.git.githubApp.secret }}
- name: git-app
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.git.ssh.secret }}
- name: git-ssh
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.git.ca.configMap }}
- name: git-ca
  configMap: {name: {{ . }}}
{{- end }}
{{- with .Values.token.secret }}
- name: token
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.tls.secret }}
- name: tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- range $i, $secret := .Values.secretMounts }}
- name: secret-{{ $i }}
  secret: {secretName: {{ $secret }}, defaultMode: 0440}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
