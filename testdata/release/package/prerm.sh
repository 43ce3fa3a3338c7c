#!/bin/sh
# Before a removal or an upgrade. dpkg passes "remove", "upgrade" and the like, rpm the number of versions that remain.
# Only a removal stops the service.
set -e

case ${1:-} in
remove | 0)
  if [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; then
    systemctl --no-reload disable --now strongroom.service ||
      echo 'strongroom: the service could not be stopped; see: systemctl status strongroom' >&2
  fi
  ;;
esac
