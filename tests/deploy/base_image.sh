#!/usr/bin/env bash
# base_image.sh NAME: makes an image of Debian bookworm with its Python 3.11, for machines that reach Debian's archive and
# a package index but no image registry. pip in it uses the index and the certificates of this machine.
set -euo pipefail
name=$1
root=$(mktemp --directory)
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase --include=ca-certificates,libgomp1,python3,python3-pip,python3-venv bookworm "$root/image" >&2
cp /etc/ssl/certs/ca-certificates.crt "$root/image/etc/ssl/certs/ca-certificates.crt"
{
  echo '[global]'
  echo 'cert = /etc/ssl/certs/ca-certificates.crt'
  if index=$(python3 -m pip config get global.index-url 2>/dev/null); then echo "index-url = $index"; fi
} >"$root/image/etc/pip.conf"
# Where the clock is not today's, apt must be told, as it is on this machine.
apt-config dump | grep '^Acquire::Check-' >"$root/image/etc/apt/apt.conf.d/90checks" || true
rm -rf "$root"/image/var/cache/apt/archives/*.deb
tar --create --directory "$root/image" . | podman import - "$name" >&2
