#!/bin/sh
# After an installation or an upgrade. dpkg passes "configure" and more, rpm the number of installed versions.
# It makes the user of the service. It enables and starts nothing: the service needs a configuration first.
set -e

# dpkg sets DPKG_ROOT for an installation below another directory.
root=${DPKG_ROOT:-}

if command -v systemd-sysusers >/dev/null 2>&1; then
  systemd-sysusers ${root:+--root="$root"} strongroom.conf
elif ! grep -q '^strongroom:' "$root/etc/passwd" && { [ -n "$root" ] || ! id -u strongroom >/dev/null 2>&1; }; then
  useradd ${root:+--prefix "$root"} --system --user-group --no-create-home --home-dir /nonexistent \
    --shell /usr/sbin/nologin strongroom
fi

# A service that runs continues with the new program. It sends nothing again that was sent.
if [ -z "$root" ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload || echo 'strongroom: systemd did not reload its units; run: systemctl daemon-reload' >&2
  systemctl try-restart strongroom.service ||
    echo 'strongroom: the service did not start again; see: systemctl status strongroom' >&2
fi
