#!/bin/sh
# Runs a file of this checkout, or an npm script, on a new enough Node with the locked packages:
#   sh tools/run.sh FILE.ts [args…]
#   sh tools/run.sh --npm SCRIPT [args…]
set -eu

vmplug_root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd -P)
if [ $# -eq 0 ] || { [ "$1" = --npm ] && [ $# -lt 2 ]; }; then
  echo "usage: sh tools/run.sh [--npm SCRIPT | FILE.ts] [args…]" >&2
  exit 2
fi
. "$vmplug_root/tools/node.sh" || exit 1
PATH=$(dirname -- "$vmplug_node"):$PATH
export PATH
# An npm that started this script names its own Node here, and its children would use that.
unset npm_node_execpath npm_execpath NODE

fresh() {
  [ -f "$vmplug_root/node_modules/.package-lock.json" ] &&
    [ -z "$(find "$vmplug_root/package-lock.json" -newer "$vmplug_root/node_modules/.package-lock.json")" ]
}

if ! fresh; then
  if ! command -v npm >/dev/null 2>&1; then
    echo "vmplug: npm is missing (Debian: sudo apt-get install npm)" >&2
    exit 1
  fi
  vmplug_lock "$vmplug_root/.installing" || exit 1
  if ! fresh; then
    echo "vmplug: bringing the packages of package-lock.json…" >&2
    if ! (cd "$vmplug_root" && npm ci --no-audit --no-fund --loglevel=error >/dev/null); then
      echo "vmplug: could not bring the packages; try: cd $vmplug_root && npm ci" >&2
      exit 1
    fi
  fi
  vmplug_unlock
fi

if [ "$1" = --npm ]; then
  script=$2
  shift 2
  cd "$vmplug_root"
  exec npm run --silent "$script" -- "$@"
fi
file=$1
shift
case "$file" in
  /*) ;;
  *) file=$vmplug_root/$file ;;
esac
exec "$vmplug_node" "$file" "$@"
