#!/usr/bin/env bash
# Builds the image, with the suite in its stage `test`, and tries it out. With Docker where an engine answers that has
# the base image or gets it; else with Podman, which needs neither an engine nor a registry: debootstrap makes the base.
set -euo pipefail
cd "$(dirname "$0")/../.."

base=debian:trixie-slim
image=ruattn-fdw
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)

has_base() {
  "$@" image inspect "$base" > /dev/null 2>&1 || "$@" pull --quiet "$base" 2> /dev/null
}

# the smallest system, without documentation and translations, as the registry's is
make_base() {
  local root mirror
  root=$(mktemp -d)
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1 || true)
  "${as_root[@]}" env http_proxy="$http_proxy" \
    debootstrap --variant=minbase trixie "$root" ${mirror:+"$mirror"} > /dev/null
  printf 'path-exclude=/usr/share/%s/*\n' doc info locale man |
    "${as_root[@]}" tee "$root/etc/dpkg/dpkg.cfg.d/slim" > /dev/null
  "${as_root[@]}" rm -rf "$root"/usr/share/{doc,info,locale,man}/* "$root"/var/{cache,lib}/apt/*/*
  "${as_root[@]}" tar -C "$root" -c . | "${engine[@]}" import --quiet - "$base" > /dev/null
  "${as_root[@]}" rm -rf "$root"
}

# the packages come by apt's own mirror and proxy, if they are not the usual ones
http_proxy=${http_proxy:-}
if command -v apt-config > /dev/null; then
  eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
fi
options=(--network=host ${http_proxy:+--build-arg=http_proxy="$http_proxy"})

if docker info > /dev/null 2>&1 && has_base docker; then
  engine=(docker)
  export BUILDKIT_PROGRESS=plain
elif type podman runc debootstrap > /dev/null 2>&1; then
  # crun, which Podman else takes, refuses cgroups of both versions side by side
  engine=("${as_root[@]}" podman --runtime=runc)
  options+=(--isolation=chroot --pull=never --format=docker)
  has_base "${engine[@]}" || make_base
else
  echo 'missing: a Docker engine, or Podman, of which Debian and Ubuntu have all that is needed in'
  echo '    apt-get install -y podman runc debootstrap debian-archive-keyring'
  exit 1
fi

SECONDS=0
"${engine[@]}" build "${options[@]}" --target=test --tag="$image:test" .
"${engine[@]}" build "${options[@]}" --tag="$image" .
bytes=$("${engine[@]}" image inspect --format='{{.Size}}' "$image")
echo "$image: tested and built in $SECONDS s with ${engine[*]}, $((bytes / 1000000)) MB"

.venv/bin/pytest -m container --engine="${engine[*]}" tests/container
