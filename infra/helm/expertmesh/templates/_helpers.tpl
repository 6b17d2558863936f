{{- define "expertmesh.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "expertmesh.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{ include "expertmesh.selector" . }}
{{- end -}}

{{- define "expertmesh.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "expertmesh.image" -}}
{{- $root := index . 0 -}}
{{- printf "%s/%s:%s" $root.Values.image.repository (index . 1) ($root.Values.image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}

{{- define "expertmesh.natsUrl" -}}
{{- if .Values.nats.enabled -}}
nats://{{ include "expertmesh.fullname" . }}-nats:4222
{{- else -}}
{{- required "nats.url is needed when nats.enabled is false" .Values.nats.url -}}
{{- end -}}
{{- end -}}

{{/* Whether there are certificates: all of them, or none. */}}
{{- define "expertmesh.hasTls" -}}
{{- $t := .Values.tls -}}
{{- $needed := list $t.coordinatorSecret $t.workerSecret -}}
{{- if .Values.nats.enabled }}{{ $needed = append $needed $t.natsSecret }}{{ end -}}
{{- if has "" $needed -}}
{{- if compact $needed -}}
{{- fail "tls.coordinatorSecret, tls.workerSecret and, with nats.enabled, tls.natsSecret go together" -}}
{{- end -}}
{{- else }}true{{ end -}}
{{- end -}}

{{- define "expertmesh.tlsArgs" -}}
{{- if not (include "expertmesh.hasTls" .) }}
# Without certificates (tls.*Secret) whoever reaches the ports may command.
- --plaintext-mesh
{{- end }}
{{- end -}}

{{- define "expertmesh.tlsEnv" -}}
{{- if include "expertmesh.hasTls" . }}
- { name: EXPERTMESH_TLS_CA, value: /etc/expertmesh/tls/ca.crt }
- { name: EXPERTMESH_TLS_CERT, value: /etc/expertmesh/tls/tls.crt }
- { name: EXPERTMESH_TLS_KEY, value: /etc/expertmesh/tls/tls.key }
{{- if .Values.tls.crl }}
- { name: EXPERTMESH_TLS_CRL, value: /etc/expertmesh/tls/ca.crl }
{{- end }}
{{- else if .Values.tls.crl }}
{{- fail "tls.crl is of no use without tls.coordinatorSecret and tls.workerSecret" }}
{{- end }}
{{- end -}}

{{- define "expertmesh.tlsMount" -}}
{{- if include "expertmesh.hasTls" . }}
- name: tls
  mountPath: /etc/expertmesh/tls
  readOnly: true
{{- end }}
{{- end -}}

{{- define "expertmesh.tlsVolume" -}}
{{- $root := index . 0 -}}
{{- if include "expertmesh.hasTls" $root }}
- name: tls
  secret:
    secretName: {{ index . 1 }}
    # Octal 0440.
    defaultMode: 288
{{- end }}
{{- end -}}

{{/* Whether the NATS server knows processes by files: that of coordinators and that of workers, or neither. */}}
{{- define "expertmesh.hasNatsCreds" -}}
{{- $n := .Values.nats -}}
{{- if or $n.coordinatorCredsSecret $n.workerCredsSecret -}}
{{- if not (and $n.coordinatorCredsSecret $n.workerCredsSecret) -}}
{{- fail "nats.coordinatorCredsSecret and nats.workerCredsSecret go together" -}}
{{- end -}}
{{- if $n.enabled -}}
{{- fail "nats.coordinatorCredsSecret and nats.workerCredsSecret are for a NATS of your own (nats.enabled=false): the chart's knows processes by their certificates (tls.*Secret)" -}}
{{- end -}}
true
{{- end -}}
{{- end -}}

{{- define "expertmesh.natsCredsArgs" -}}
{{- if include "expertmesh.hasNatsCreds" . }}
- --nats-creds
- /etc/expertmesh/nats/nats.creds
{{- end }}
{{- end -}}

{{- define "expertmesh.natsCredsMount" -}}
{{- if include "expertmesh.hasNatsCreds" . }}
- name: nats-creds
  mountPath: /etc/expertmesh/nats
  readOnly: true
{{- end }}
{{- end -}}

{{- define "expertmesh.natsCredsVolume" -}}
{{- $root := index . 0 -}}
{{- if include "expertmesh.hasNatsCreds" $root }}
- name: nats-creds
  secret:
    secretName: {{ index . 1 }}
    items:
      - { key: nats.creds, path: nats.creds }
    # Octal 0440.
    defaultMode: 288
{{- end }}
{{- end -}}

{{/* The configuration of the chart's own NATS, for this cluster: each role may do what it needs. */}}
{{- define "expertmesh.natsConf" -}}
{{- regexReplaceAll "(//|_|[.])default(/|_|[.])" (.Files.Get "files/nats.conf") (printf "${1}%s${2}" .Values.cluster) -}}
{{- end -}}

{{/* How the health of a worker's control port is asked for: Kubernetes' own gRPC probes speak no TLS. */}}
{{- define "expertmesh.workerProbe" -}}
{{- if include "expertmesh.hasTls" . -}}
exec:
  command:
    - sh
    - -c
    - |-
      expertmesh rpc Health/Check --coordinator 127.0.0.1:9101 | grep -q '"status": 1'
timeoutSeconds: 5
{{- else -}}
grpc: { port: 9101 }
{{- end -}}
{{- end -}}

{{- define "expertmesh.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "expertmesh.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* A number that values give as such: helm would write a large one as 8e+09. */}}
{{- define "expertmesh.number" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ int64 . }}{{ end -}}
{{- end -}}

{{- define "expertmesh.storeMount" -}}
- name: store
  mountPath: /store
  readOnly: true
  {{- with .Values.store.subPath }}
  subPath: {{ . }}
  {{- end }}
- name: cache
  mountPath: /var/cache/expertmesh
{{- end -}}

{{- define "expertmesh.storeVolume" -}}
- name: store
  {{- if .Values.store.existingClaim }}
  persistentVolumeClaim:
    claimName: {{ .Values.store.existingClaim }}
    readOnly: true
  {{- else }}
  hostPath:
    path: {{ required "store.hostPath or store.existingClaim is needed" .Values.store.hostPath }}
    type: Directory
  {{- end }}
{{- end -}}
