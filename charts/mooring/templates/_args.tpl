{{/* Everything the daemon is told. */}}
{{- define "mooring.args" -}}
- run
- --repo={{ required "repo: name the repository of environment state, an https or ssh address" .Values.repo }}
- --control={{ .Values.control }}
- --state=/var/lib/mooring
- --listen=:8420
- --poll={{ .Values.poll }}
- --sweep-share={{ .Values.sweepShare }}
- --log-format=json
{{- range .Values.environments }}
- --environment={{ . }}
{{- end }}
{{- with .Values.pageURL }}
- --page-url={{ . }}
{{- end }}
{{- if .Values.readOnly }}
- --read-only
{{- end }}
{{- if .Values.metrics.open }}
- --open-metrics
{{- end }}
{{- if .Values.verbose }}
- --verbose
{{- end }}
{{- with .Values.git.token }}{{ if .secret }}
- --git-token-file=/etc/mooring/git/token/{{ .key }}
{{- with .user }}
- --git-user={{ . }}
{{- end }}{{ end }}{{ end }}
{{- with .Values.git.githubApp }}{{ if .secret }}
- --git-github-app={{ .app }}/{{ .installation }}
- --git-github-app-key=/etc/mooring/git/app/{{ .key }}
{{- end }}{{ end }}
{{- with .Values.git.ssh }}{{ if .secret }}
- --git-ssh-key=/etc/mooring/git/ssh/{{ .key }}
- --git-known-hosts=/etc/mooring/git/ssh/{{ .knownHostsKey }}
{{- end }}{{ end }}
{{- with .Values.git.ca }}{{ if .configMap }}
- --ca-file=/etc/mooring/git/ca/{{ .key }}
{{- end }}{{ end }}
{{- with .Values.token }}{{ if .secret }}
- --token-file=/etc/mooring/token/{{ .key }}
{{- end }}{{ end }}
{{- with .Values.tls }}{{ if .secret }}
- --tls-cert=/etc/mooring/tls/{{ .certKey }}
- --tls-key=/etc/mooring/tls/{{ .keyKey }}
{{- end }}{{ end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
