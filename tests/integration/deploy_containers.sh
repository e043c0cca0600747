#!/bin/bash
# Dockerfile, compose file and Kubernetes manifests, as far as they can be judged without an engine; the scripts of the image with a daemon.
# `make check-manifests` holds the manifests against Kubernetes' own schemas.
# shellcheck disable=SC2013,SC2016,SC2317 # names without blanks; jq's variables; functions that wait_until and ok run
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

dockerfile=$ROOT/deploy/docker/Dockerfile
json() { python3 -c 'import json, sys, yaml; print(json.dumps([d for f in sys.argv[1:] for d in yaml.safe_load_all(open(f)) if d]))' "$@"; }
ok 'the YAML is sound' yamllint -s -d '{extends: relaxed, rules: {line-length: disable}}' "$ROOT"/deploy/k8s "$ROOT/deploy/docker/compose.yaml"
json "$ROOT"/deploy/k8s/*.yaml >"$SCRATCH/k8s.json"
json "$ROOT/deploy/docker/compose.yaml" >"$SCRATCH/compose.json"
k8s() { jq -r "$1" "$SCRATCH/k8s.json"; }
compose() { jq -r ".[0] | $1" "$SCRATCH/compose.json"; }

# ---- every setting is one of the table, and its value is good
"$BUILD/cachesync" --check-config | cut -d= -f1 | sort >"$SCRATCH/keys"
unknown() { sort -u | grep -vE '^POSTGRES_(USER|DB|PASSWORD)$' | comm -23 - "$SCRATCH/keys" | xargs; }
is "$(k8s '.[] | select(.kind == "ConfigMap") | .data | keys[]' | unknown)" '' 'the ConfigMap holds keys of the table'
is "$(k8s '.. | objects | .env? // empty | .[].name' | unknown)" '' 'so do the containers'
is "$(grep -oE 'from-literal=[A-Z_]+' "$ROOT/deploy/k8s/cachesync.yaml" | cut -d= -f2 | unknown)" '' 'and the secrets'
is "$(k8s '.. | objects | to_entries[] | select(.key | endswith("FromEnv")) | .value' | unknown)" '' 'and what KEDA reads'
is "$(compose '.services[].environment // {} | keys[]' | unknown)" '' 'and the compose file'
k8s '.[] | select(.kind == "ConfigMap") | .data | to_entries[] | "\(.key)=\(.value)"' >"$SCRATCH/k8s.env"
ok 'the values are good' "$BUILD/cachesyncd" --config "$SCRATCH/k8s.env" --check-config

# ---- the manifests
is "$(k8s '.[] | select(.kind == "CronJob") | .spec | "\(.schedule) \(.timeZone) \(.concurrencyPolicy)"')" '10 16 * * 1-5 America/New_York Forbid' 'the daily command'
is "$(k8s '.[] | select(.kind == "Deployment") | .spec.template.spec | select(.terminationGracePeriodSeconds <= 30) | "short"')" '' 'pods have more than the grace time to end'
is "$(k8s '.[] | .spec.template.spec?, .spec.jobTemplate.spec.template.spec? | values | .containers[] |
    select(.securityContext.readOnlyRootFilesystem != true or .securityContext.allowPrivilegeEscalation != false or .securityContext.capabilities.drop != ["ALL"]
           or .resources.limits.memory == null) | .name')" '' 'each container is read-only, without privileges, with a limit of memory'
is "$(k8s '[.[] | select(.kind == "Deployment") | select(.spec.selector.matchLabels["app.kubernetes.io/name"] != .spec.template.metadata.labels["app.kubernetes.io/name"])] | length')" 0 'selectors fit their pods'
is "$(k8s '[.[] | select(.kind == "Deployment") | .spec.template.spec.containers[] | select(.livenessProbe == null or .startupProbe == null)] | length')" 0 'each has its probes'
is "$(k8s '.[] | select(.kind == "ScaledObject") | .spec.triggers[0].metadata.stream')" "$P:commands" 'KEDA watches the command stream'
is "$(k8s '.[] | select(.kind == "ScaledObject") | .spec.scaleTargetRef.name' | grep -xc "$(k8s '.[] | select(.kind == "Deployment") | .metadata.name' | head -1)")" 1 'and scales the daemons'
version=$("$BUILD/cachesyncd" --version | cut -d' ' -f2)
is "$(k8s '.. | objects | .image? // empty' | sort -u)" "cachesync:$version" "the images are of this version"

# ---- the Dockerfile
is "$(grep -c '^FROM' "$dockerfile")" 2 'two stages'
is "$(grep -E '^FROM' "$dockerfile" | grep -cE ':latest|^FROM [^:]*( |$)')" 0 'base images have a version'
like "$(grep '^USER' "$dockerfile" | tail -1)" '^USER [1-9][0-9]*' 'it does not run as root'
for f in $(sed -n 's/^COPY \(deploy.*\) [^ ]*$/\1/p' "$dockerfile"); do ok "$f is there" test -x "$ROOT/$f"; done
make -s -C "$ROOT" install-files BUILD="$BUILD" DESTDIR="$SCRATCH/out" PREFIX=/usr
for f in $(sed -n 's/^COPY --from=build \(.*\) [^ ]*$/\1/p' "$dockerfile"); do ok "$f is installed" test -e "$SCRATCH$f"; done
# What the programs link is in the packages of the last stage, or comes with them.
packages=$(sed -n '/^FROM/,$ { /^FROM/ h; H }; $ { x; p }' "$dockerfile" | sed -n 's/.*install -y --no-install-recommends \(.*\) \\/\1/p' | tail -1)
for lib in $(objdump -p "$BUILD/cachesyncd" "$BUILD/cachesync-http" "$BUILD/cachesync" | awk '/NEEDED/ { print $2 }' | sort -u); do
    case $lib in libc.so* | libm.so* | ld-linux* | libasan* | libubsan* | libtsan*) continue ;; esac
    path=$(ldd "$BUILD/cachesyncd" "$BUILD/cachesync-http" | awk -v l="$lib" '$1 == l { print $3; exit }')
    package=$(dpkg -S "$(readlink -f "$path")" 2>/dev/null | cut -d: -f1)
    ok "$lib is in the image (${package:-nowhere})" grep -qw -- "${package:-nowhere}" <<<"$packages"
done
ok 'the first stage builds all' grep -q '^RUN make .*all' "$dockerfile"

# ---- the image's scripts
mkdir "$SCRATCH/bin" && ln -s "$BUILD/cachesync" "$SCRATCH/bin/cachesync"
export PATH=$SCRATCH/bin:$PATH DATABASE_URI="postgresql:///none?host=$SCRATCH" REDIS_URL="unix://$SCRATCH/redis.sock"
ok 'alive: Redis away is no reason for a restart' "$ROOT/deploy/docker/alive"
start_redis
not() { ! "$@"; }
ok 'alive: no daemon' not "$ROOT/deploy/docker/alive"
start_daemon
ok 'alive: a daemon' "$ROOT/deploy/docker/alive"
kill -STOP "$DAEMON_PID"
wait_until 30 'alive: a daemon that stands still is not' not "$ROOT/deploy/docker/alive"
kill -CONT "$DAEMON_PID"
wait_until 30 'alive: it goes on' "$ROOT/deploy/docker/alive"
like "$("$ROOT/deploy/docker/daily")" '^[0-9a-f-]{36}$' 'daily: prints its job'
keyed() { redis GET "$P:idem:daily:$(TZ=America/New_York date +%F)" | grep -q .; }
wait_until 30 'daily: under the key of the day' keyed
stop_daemon
finish
