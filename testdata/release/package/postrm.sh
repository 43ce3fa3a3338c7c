#!/bin/sh
# After a removal, a purge or an upgrade. It deletes nothing, not even on a purge: the state directory may hold an
# archive, and other files may belong to the user. The package manager deletes what the package has installed.
set -e

if [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload || echo 'strongroom: systemd did not reload its units; run: systemctl daemon-reload' >&2
fi

if [ "${1:-}" = purge ]; then
  for kept in /etc/strongroom /var/lib/strongroom; do
    if [ -e "${DPKG_ROOT:-}$kept" ]; then
      echo "strongroom: $kept is kept; delete it if you need neither it nor an archive in it"
    fi
  done
fi
