{{- define "genesis.fullname" -}}
{{- if contains "genesis" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-genesis" (.Release.Name | trunc 32 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "genesis.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The image of a pod: of a colour with a tag of its own, that. */}}
{{- define "genesis.podImage" -}}
{{- if .tag }}{{ .root.Values.image.repository }}:{{ .tag }}{{ else }}{{ include "genesis.image" .root }}{{ end }}
{{- end }}

{{- define "genesis.selector" -}}
app.kubernetes.io/name: genesis
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "genesis.labels" -}}
{{ include "genesis.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* The parts: what runs, its keys, its volume, and where it may connect to. */}}
{{- define "genesis.parts" -}}
feed:     {run: feed,    kind: Deployment,  keys: [], to: [internet]}
{{- $colours := .Values.colours }}
market:   {run: market,  kind: StatefulSet, keys: [], volume: true, to: []{{ if $colours.enabled }}, colour: blue, tag: {{ $colours.blueTag | quote }}, replicas: {{ $colours.blueReplicas }}{{ end }}}
{{- if $colours.enabled }}
market-green: {run: market, like: market, kind: StatefulSet, keys: [], volume: true, to: [], colour: green, tag: {{ $colours.greenTag | quote }}, replicas: {{ $colours.greenReplicas }}}
{{- end }}
account:  {run: account, kind: StatefulSet, keys: [trader, strategy, ticker, gateway, guard, examiner, permit, audit], volume: true, to: [ledger]}
archive:  {run: store,   kind: StatefulSet, keys: [], to: [store]}
ticker:   {run: ticker,  kind: Deployment,  keys: [ticker], to: [internet]}
gateway:  {run: gateway, kind: Deployment,  keys: [gateway, permit, ticker, guard], volume: true, exchange: true, to: [ledger, internet]}
{{- end }}

{{/* What no schema can say in a sentence. */}}
{{- define "genesis.check" -}}
{{- $v := .Values }}
{{- if and (eq $v.environment "production") (ne $v.region "sgp1") }}
{{- fail (printf "region %q is refused: production runs in Singapore, where the exchange is near. Set region: sgp1, or environment: staging to try elsewhere." $v.region) }}
{{- end }}
{{- if not $v.broker.servers }}{{ fail "broker.servers is empty: set it to the Kafka bootstrap servers, as kafka-0.kafka:9092." }}{{ end }}
{{- if not $v.store.url }}{{ fail "store.url is empty: set it to ClickHouse's HTTP address, as http://clickhouse:8123." }}{{ end }}
{{- if not $v.ledger.existingSecret }}{{ fail "ledger.existingSecret is empty: make a secret with PostgreSQL's address under url (kubectl create secret generic genesis-ledger --from-file=url=FILE), and name it here." }}{{ end }}
{{- if not $v.keys.existingSecret }}{{ fail "keys.existingSecret is empty: make a secret of the key files (kubectl create secret generic genesis-keys --from-file=FOLDER), and name it here." }}{{ end }}
{{- if and (ne $v.trading.mode "paper") (not $v.exchange.existingSecret) }}{{ fail (printf "exchange.existingSecret is empty, and trading.mode is %s: make a secret with credentials.json and name it here, or set trading.mode: paper." $v.trading.mode) }}{{ end }}
{{- if and (eq $v.trading.mode "live") (ne $v.trading.unlockLive "I trade real money") }}{{ fail "trading.mode is live: set trading.unlockLive to the words `I trade real money`, or trading.mode: paper." }}{{ end }}
{{- if and (eq $v.venue.source "simulator") (not $v.venue.url) }}{{ fail "venue.source is simulator, and venue.url is empty: set its address, or venue.source: binance." }}{{ end }}
{{- if and $v.monitoring.enabled (not $v.metrics.enabled) }}{{ fail "monitoring.enabled needs metrics.enabled: without it no part answers /metrics. Set both, or none." }}{{ end }}
{{- if and $v.colours.enabled (eq (int $v.colours.blueReplicas) 0) (eq (int $v.colours.greenReplicas) 0) }}{{ fail "colours.blueReplicas and colours.greenReplicas are 0: then nobody computes signals. Set that of the colour which `genesis release status` names to 1." }}{{ end }}
{{- if gt (int $v.market.workers) (int $v.market.shards) }}{{ fail (printf "market.workers is %d and market.shards %d: a worker beyond the number of shards has nothing to do. Lower workers or raise shards." (int $v.market.workers) (int $v.market.shards)) }}{{ end }}
{{- if and (eq $v.trading.mode "live") (ne $v.environment "production") }}{{ fail (printf "trading.mode is live, and environment is %s: real money is for production. Set environment: production with region: sgp1, or trading.mode: testnet." $v.environment) }}{{ end }}
{{- if and $v.networkPolicy.enabled $v.broker.servers }}
{{- range splitList "," $v.broker.servers }}
{{- if ne (last (splitList ":" .)) (toString $.Values.broker.port) }}{{ fail (printf "broker.servers has %s, and the network policies open port %v alone: name every server with that port, or set broker.port." . $.Values.broker.port) }}{{ end }}
{{- end }}
{{- $where := urlParse $v.store.url }}
{{- if ne (include "genesis.port" $where) (toString $v.store.port) }}{{ fail (printf "store.url is %s, and the network policies open port %v alone: set store.port to %s." $v.store.url $v.store.port (include "genesis.port" $where)) }}{{ end }}
{{- end }}
{{- range $name, $_ := $v.settings }}
{{- if regexMatch "(SECRET|PASSWORD|API_KEY|TOKEN|LEDGER_URL)" $name }}{{ fail (printf "settings.%s is a secret and has no place in values: use the existingSecret that is for it." $name) }}{{ end }}
{{- with get (include "genesis.owned" $ | fromYaml) $name }}{{ fail (printf "settings.%s would stand above %s, which the chart looks at: set that value instead." $name .) }}{{ end }}
{{- end }}
{{- include "genesis.secrets" . }}
{{- include "genesis.otherVolumes" . }}
{{- end }}

{{/* A colour mounts the volume of the other one, which is made when that has had its first pod. */}}
{{- define "genesis.otherVolumes" -}}
{{- if .Values.colours.enabled }}
{{- range $colour, $part := dict "blue" "market" "green" "market-green" }}
{{- $claim := printf "data-%s-%s-0" (include "genesis.fullname" $) $part }}
{{- if and (eq (int (index $.Values.colours (printf "%sReplicas" $colour))) 0) (lookup "v1" "ServiceAccount" $.Release.Namespace "default") }}
{{- if not (lookup "v1" "PersistentVolumeClaim" $.Release.Namespace $claim) }}{{ fail (printf "colours.%sReplicas is 0, and there is no volume %s, which the other colour copies from: set it to 1 for the first upgrade with colours." $colour $claim) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The port of an address, that of its scheme when it names none. */}}
{{- define "genesis.port" -}}
{{- if contains ":" .host }}{{ last (splitList ":" .host) }}{{ else }}{{ ternary "443" "80" (eq .scheme "https") }}{{ end }}
{{- end }}

{{/* Settings that have a value of their own. */}}
{{- define "genesis.owned" -}}
GENESIS_ACCOUNT: account
GENESIS_BROKER: broker.servers
GENESIS_COLOUR: colours
GENESIS_CREDENTIALS_FILE: exchange.existingSecret
GENESIS_DATA: persistence
GENESIS_DATABASE: store.database
GENESIS_EPOCH_S: market.epochSeconds
GENESIS_KEYS: keys.existingSecret
GENESIS_LATENESS_MS: market.latenessMs
GENESIS_LOG_LEVEL: logLevel
GENESIS_METRICS_HOST: metrics.enabled
GENESIS_METRICS_PORT: metrics.port
GENESIS_PAPER_CAPITAL: trading.paperCapital
GENESIS_SHARDS: market.shards
GENESIS_STORE_URL: store.url
GENESIS_STORE_USER: store.user
GENESIS_SYMBOLS: venue.symbols
GENESIS_TRADING: trading.mode
GENESIS_UNLOCK_LIVE: trading.unlockLive
GENESIS_VENUE: venue.source
GENESIS_VENUE_URL: venue.url
GENESIS_WORKERS: market.workers
{{- end }}

{{/* Is every secret in the cluster, with what is read from it? Without a cluster (helm template) nothing is looked up. */}}
{{- define "genesis.secrets" -}}
{{- $v := .Values }}
{{- $space := .Release.Namespace }}
{{- if lookup "v1" "ServiceAccount" $space "default" }}
{{- $roles := list }}
{{- range include "genesis.parts" . | fromYaml }}{{ range .keys }}{{ $roles = append $roles (printf "%s.key" .) }}{{ end }}{{ end }}
{{- $wanted := list (list "keys" (uniq $roles) "--from-file=FOLDER") (list "ledger" (list "url") "--from-file=url=FILE") }}
{{- if $v.store.existingSecret }}{{ $wanted = append $wanted (list "store" (list "password") "--from-file=password=FILE") }}{{ end }}
{{- if $v.exchange.existingSecret }}{{ $wanted = append $wanted (list "exchange" (list "credentials.json") "--from-file=credentials.json=FILE") }}{{ end }}
{{- range $wanted }}
{{- $name := (index $v (first .)).existingSecret }}
{{- $found := lookup "v1" "Secret" $space $name }}
{{- if not $found }}{{ fail (printf "secret %s is not in namespace %s: make it (kubectl -n %s create secret generic %s %s), or name another in %s.existingSecret." $name $space $space $name (last .) (first .)) }}{{ end }}
{{- range $key := index . 1 }}
{{- if not (hasKey (default dict $found.data) $key) }}{{ fail (printf "secret %s in namespace %s has no %s: add it, the parts read it from there." $name $space $key) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "genesis.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "genesis.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
capabilities: {drop: [ALL]}
{{- end }}

{{- define "genesis.env" -}}
{{- $v := .root.Values }}
{{- $env := dict
  "GENESIS_DATA" "/var/lib/genesis"
  "GENESIS_KEYS" "/run/genesis/keys"
  "GENESIS_BROKER" $v.broker.servers
  "GENESIS_STORE_URL" $v.store.url
  "GENESIS_STORE_USER" $v.store.user
  "GENESIS_DATABASE" $v.store.database
  "GENESIS_ACCOUNT" $v.account
  "GENESIS_VENUE" $v.venue.source
  "GENESIS_VENUE_URL" $v.venue.url
  "GENESIS_SYMBOLS" (join "," $v.venue.symbols)
  "GENESIS_TRADING" $v.trading.mode
  "GENESIS_PAPER_CAPITAL" $v.trading.paperCapital
  "GENESIS_SHARDS" (toString $v.market.shards)
  "GENESIS_WORKERS" (toString $v.market.workers)
  "GENESIS_EPOCH_S" (toString $v.market.epochSeconds)
  "GENESIS_LATENESS_MS" (toString $v.market.latenessMs)
  "GENESIS_LOG_LEVEL" $v.logLevel
  "NUMBA_CACHE_DIR" "/var/cache/genesis"
  "HOME" "/tmp" }}
{{- if and .serves $v.metrics.enabled }}
{{- $_ := set $env "GENESIS_METRICS_PORT" (toString $v.metrics.port) }}
{{- $_ := set $env "GENESIS_METRICS_HOST" "0.0.0.0" }}
{{- end }}
{{- with .colour }}{{ $_ := set $env "GENESIS_COLOUR" . }}{{ end }}
{{- if .exchange }}
{{- if $v.exchange.existingSecret }}{{ $_ := set $env "GENESIS_CREDENTIALS_FILE" "/run/genesis/exchange/credentials.json" }}{{ end }}
{{- if $v.trading.unlockLive }}{{ $_ := set $env "GENESIS_UNLOCK_LIVE" $v.trading.unlockLive }}{{ end }}
{{- end }}
{{- range $name, $value := merge (dict) $v.settings $env }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- if has "ledger" .to }}
- {name: GENESIS_LEDGER_URL, valueFrom: {secretKeyRef: {name: {{ $v.ledger.existingSecret }}, key: url}}}
{{- end }}
{{- if and (has "store" .to) $v.store.existingSecret }}
- {name: GENESIS_STORE_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $v.store.existingSecret }}, key: password}}}
{{- end }}
{{- end }}

{{- define "genesis.mounts" -}}
- {name: data, mountPath: /var/lib/genesis}
- {name: cache, mountPath: /var/cache/genesis}
- {name: run, mountPath: /run/genesis}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{/* A pod: root, part, command, keys, volume (none, claim or template), to, exchange, resources, serves, restart. */}}
{{- define "genesis.pod" -}}
{{- $v := .root.Values }}
{{- if ne .part "migrate" }}
serviceAccountName: {{ include "genesis.fullname" .root }}
{{- end }}
automountServiceAccountToken: false
shareProcessNamespace: true # as first process of its namespace a part without a handler would not hear SIGTERM
enableServiceLinks: false # a variable GENESIS_…_PORT made of a service's name would be refused as an unknown setting
terminationGracePeriodSeconds: {{ $v.terminationGraceSeconds }}
{{- with .restart }}
restartPolicy: {{ . }}
{{- end }}
securityContext:
  {{- include "genesis.podSecurity" . | nindent 2 }}
{{- with $v.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $v.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $v.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- if or $v.region .colour }}
affinity:
  {{- if .colour }}
  podAffinity: # one copies from the other's volume, which one node may mount; alone it may be anywhere
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {app.kubernetes.io/name: genesis, app.kubernetes.io/instance: {{ .root.Release.Name }}}
          matchExpressions:
            - {key: app.kubernetes.io/component, operator: In, values: [market, market-green]}
  {{- end }}
  {{- if $v.region }}
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - {key: topology.kubernetes.io/region, operator: In, values: [{{ $v.region }}]}
  {{- end }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {app.kubernetes.io/name: genesis, app.kubernetes.io/instance: {{ .root.Release.Name }}}
initContainers:
  # A mounted secret is in a folder that others may list, and the kernels' cache of the image cannot be written.
  - name: prepare
    image: {{ include "genesis.podImage" . }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    terminationMessagePolicy: FallbackToLogsOnError
    command:
      - sh
      - -ec
      - |
        umask 077
        mkdir -p /run/genesis/keys /run/genesis/exchange
        for role in {{ join " " .keys }}; do install -m 400 "/secrets/keys/$role.key" /run/genesis/keys/; done
        if [ -e /secrets/exchange ]; then install -m 400 /secrets/exchange/credentials.json /run/genesis/exchange/; fi
        if [ -d "${NUMBA_CACHE_DIR:-}" ]; then cp -R "$NUMBA_CACHE_DIR/." /var/cache/genesis/; fi
    resources: {{ toJson $v.resources.small }}
    securityContext:
      {{- include "genesis.containerSecurity" . | nindent 6 }}
    volumeMounts:
      - {name: cache, mountPath: /var/cache/genesis}
      - {name: run, mountPath: /run/genesis}
      {{- if .keys }}
      - {name: keys, mountPath: /secrets/keys, readOnly: true}
      {{- end }}
      {{- if and .exchange $v.exchange.existingSecret }}
      - {name: exchange, mountPath: /secrets/exchange, readOnly: true}
      {{- end }}
  {{- if .copyFrom }}
  # The same for both colours, whoever is the candidate, so that a release starts no other pod again.
  - name: snapshots
    image: {{ include "genesis.podImage" . }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    terminationMessagePolicy: FallbackToLogsOnError
    command:
      - sh
      - -ec
      - |
        [ "$(cat /colours/candidate)" = {{ .colour }} ] || exit 0
        [ "$(cat /var/lib/genesis/copied-for 2>/dev/null)" != "{{ include "genesis.podImage" . }}" ] || exit 0
        rm -rf /var/lib/genesis/recovery/market
        {{ first $v.command }} release copy /other /var/lib/genesis
        echo "{{ include "genesis.podImage" . }}" >/var/lib/genesis/copied-for
    resources: {{ toJson $v.resources.small }}
    securityContext:
      {{- include "genesis.containerSecurity" . | nindent 6 }}
    volumeMounts:
      {{- include "genesis.mounts" . | nindent 6 }}
      - {name: other, mountPath: /other}
      - {name: colours, mountPath: /colours, readOnly: true}
  {{- end }}
containers:
  - name: {{ .part }}
    image: {{ include "genesis.podImage" . }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    command: {{ toJson .command }}
    terminationMessagePolicy: FallbackToLogsOnError # `kubectl describe pod` shows why it ended
    env:
      {{- include "genesis.env" . | trim | nindent 6 }}
    {{- if .serves }}
    ports:
      - {name: metrics, containerPort: {{ $v.metrics.port }}}
    {{- end }}
    {{- if and .serves $v.metrics.enabled }}
    startupProbe:
      httpGet: {path: /readyz, port: metrics}
      periodSeconds: 2
      failureThreshold: {{ div $v.probes.startupSeconds 2 | max 1 }}
    livenessProbe:
      httpGet: {path: /livez, port: metrics}
      periodSeconds: {{ $v.probes.periodSeconds }}
      failureThreshold: {{ $v.probes.liveFailures }}
      timeoutSeconds: 3
    readinessProbe:
      httpGet: {path: /readyz, port: metrics}
      periodSeconds: {{ $v.probes.periodSeconds }}
      failureThreshold: {{ $v.probes.readyFailures }}
      timeoutSeconds: 3
    {{- end }}
    resources: {{ toJson .resources }}
    securityContext:
      {{- include "genesis.containerSecurity" . | nindent 6 }}
    volumeMounts:
      {{- include "genesis.mounts" . | nindent 6 }}
volumes:
  - {name: cache, emptyDir: {sizeLimit: 512Mi}}
  - {name: run, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
  - {name: tmp, emptyDir: {sizeLimit: 256Mi}}
  {{- with .copyFrom }}
  - {name: colours, configMap: {name: {{ include "genesis.fullname" $.root }}-colours}}
  - {name: other, persistentVolumeClaim: {claimName: data-{{ include "genesis.fullname" $.root }}-{{ . }}-0}}
  {{- end }}
  {{- if eq .volume "claim" }}
  - {name: data, persistentVolumeClaim: {claimName: {{ include "genesis.fullname" .root }}-{{ .part }}}}
  {{- else if eq .volume "none" }}
  - {name: data, emptyDir: {sizeLimit: 1Gi}}
  {{- end }}
  {{- if .keys }}
  - name: keys
    secret:
      secretName: {{ $v.keys.existingSecret }}
      defaultMode: 0440
      items:
        {{- range .keys }}
        - {key: {{ . }}.key, path: {{ . }}.key}
        {{- end }}
  {{- end }}
  {{- if and .exchange $v.exchange.existingSecret }}
  - name: exchange
    secret: {secretName: {{ $v.exchange.existingSecret }}, defaultMode: 0440, items: [{key: credentials.json, path: credentials.json}]}
  {{- end }}
{{- end }}

{{/* Names of the parts that have a pod. */}}
{{- define "genesis.running" -}}
{{- range $part, $facts := include "genesis.parts" . | fromYaml }}
{{- if ne (toString $facts.replicas) "0" }}
- {{ $part }}
{{- end }}
{{- end }}
{{- end }}
