#!/bin/sh
# Prints the path of a Node that vmplug can run on: the machine's own if it is new enough, else a private one, which is
# brought from the npm registry on first use. Sourced with vmplug_root set to the checkout, it sets vmplug_node instead.

vmplug_node_ok() {
  "$1" -e 'var v = process.versions.node.split("."); process.exit(v[0] > 24 || (v[0] == 24 && v[1] >= 15) ? 0 : 1)' \
    >/dev/null 2>&1
}

# Holds a lock, a folder, until vmplug_unlock or the shell's end: two installations into one place spoil each other.
vmplug_lock() {
  vmplug_held=$1
  vmplug_waited=0
  until mkdir "$vmplug_held" 2>/dev/null; do
    if [ ! -d "$vmplug_held" ] && [ ! -w "$(dirname -- "$vmplug_held")" ]; then
      echo "vmplug: cannot write to $(dirname -- "$vmplug_held")" >&2
      return 1
    fi
    vmplug_holder=$(cat "$vmplug_held/pid" 2>/dev/null)
    # Its holder ended without releasing it, or never got to write its number.
    if { [ -n "$vmplug_holder" ] && ! kill -0 "$vmplug_holder" 2>/dev/null; } ||
      { [ -z "$vmplug_holder" ] && [ "$vmplug_waited" -ge 5 ]; }; then
      rm -rf "$vmplug_held"
      continue
    fi
    sleep 1
    vmplug_waited=$((vmplug_waited + 1))
    if [ "$vmplug_waited" -ge 300 ]; then
      echo "vmplug: process ${vmplug_holder:-unknown} has been installing for 5 minutes; see $vmplug_held" >&2
      return 1
    fi
  done
  echo $$ >"$vmplug_held/pid"
  trap 'rm -rf "$vmplug_held"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

vmplug_unlock() {
  rm -rf "$vmplug_held"
  trap - EXIT HUP INT TERM
}

vmplug_find_node() {
  vmplug_node=$(command -v node) && vmplug_node_ok "$vmplug_node" && return 0

  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) vmplug_arch=x64 ;;
    Linux-aarch64 | Linux-arm64) vmplug_arch=arm64 ;;
    *)
      echo "vmplug: needs Node 24.15 or newer, and brings one only for Linux on x86_64 and arm64; install it yourself" >&2
      return 1
      ;;
  esac
  vmplug_dir=$vmplug_root/tools/node
  vmplug_node=$vmplug_dir/node_modules/node-linux-$vmplug_arch/bin/node
  vmplug_node_ok "$vmplug_node" && return 0

  if ! command -v npm >/dev/null 2>&1; then
    echo "vmplug: needs Node 24.15 or newer, or npm to bring it (Debian: sudo apt-get install npm); then run:" >&2
    echo "  npm ci --prefix $vmplug_dir --ignore-scripts" >&2
    return 1
  fi

  vmplug_lock "$vmplug_dir/.bringing" || return 1
  vmplug_status=0
  vmplug_words=
  if ! vmplug_node_ok "$vmplug_node"; then
    echo "vmplug: bringing Node 24 (this machine's is older or missing), once…" >&2
    vmplug_words=$(cd "$vmplug_dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error 2>&1 >/dev/null) ||
      vmplug_status=1
    vmplug_node_ok "$vmplug_node" || vmplug_status=1
  fi
  vmplug_unlock
  if [ "$vmplug_status" != 0 ]; then
    [ -z "$vmplug_words" ] || printf '%s\n' "$vmplug_words" | sed 5q >&2
    echo "vmplug: could not bring Node 24; try: npm ci --prefix $vmplug_dir --ignore-scripts" >&2
  fi
  return "$vmplug_status"
}

case "$0" in
  */node.sh | node.sh)
    vmplug_root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
    vmplug_find_node || exit 1
    printf '%s\n' "$vmplug_node"
    ;;
  *) vmplug_find_node ;;
esac
