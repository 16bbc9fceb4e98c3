/**
 * The scripts of the guest, for busybox's `sh`. They are text constants so that they are found from the sources
 * and from the compiled package alike.
 */

/** `/etc/inittab`: busybox's init runs the set-up once, then keeps the two services running. */
export const inittab: string = `::sysinit:/etc/rc
::respawn:/etc/execd
::respawn:/etc/powerd
::shutdown:/bin/sync
`;

/**
 * `/etc/rc`: file systems and modules. Words of the kernel's command line that it obeys:
 * `vmplug.modules=none` loads no module, `vmplug.skip=virtio_blk,sd_mod` leaves some out,
 * `vmplug.boot_delay=SECONDS` waits before loading them.
 */
export const rc: string = `#!/bin/sh
PATH=/bin
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/disk/by-id
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs run /run
mkdir -p /run/vmplug
hostname guest
ip link set lo up

modules=all
skip=
delay=
read -r cmdline < /proc/cmdline
for word in $cmdline; do
  case "$word" in
    vmplug.modules=*) modules=\${word#*=} ;;
    vmplug.skip=*) skip=,\${word#*=}, ;;
    vmplug.boot_delay=*) delay=\${word#*=} ;;
  esac
done

if [ -n "$delay" ]; then
  echo "vmplug-guest: waiting $delay s"
  sleep "$delay"
fi
if [ "$modules" != none ]; then
  while read -r name file; do
    case "$skip" in
      *,"$name",*) echo "vmplug-guest: leaving out $name" ;;
      *) insmod "$file" || echo "vmplug-guest: cannot load $name" ;;
    esac
  done < /etc/modules
fi
echo "vmplug-guest: up"
`;

/**
 * `/etc/execd`: serves requests; `protocol.ts` has the lines. The port is the virtio-serial port named `vmplug.exec`,
 * else the second serial port of a PC. At most one command runs: the port has one client at a time, so a new request
 * means that the last client has gone, and its command is ended.
 */
export const execd: string = `#!/bin/sh
PATH=/bin
find_port() {
  for name in /sys/class/virtio-ports/*/name; do
    read -r text 2>/dev/null < "$name" || continue
    [ "$text" = vmplug.exec ] || continue
    name=\${name%/name}
    port=/dev/\${name##*/}
    return
  done
  stty -F /dev/ttyS1 raw -echo 2>/dev/null && port=/dev/ttyS1
}
until find_port; do sleep 1; done
exec 3<>$port || exit 1
[ $port != /dev/ttyS1 ] || stty raw -echo <&3
cd /run/vmplug || exit 1
echo "vmplug-guest: ready"

incoming= body= have=0
current=none

reply() { printf '\\n=%s %s\\n' "$tag" "$1" >&3; }

end_current() {
  pid=
  read -r pid 2>/dev/null < "$current.pid"
  [ -n "$pid" ] || return 0
  kill -9 "-$pid" "$pid" 2>/dev/null
  rm -f "$current".* "/tmp/$current".*
}

# Not a child of this shell: when a child ends, sh's read starts over and forgets the bytes that it has.
start_current() {
  (
    setsid sh /etc/exec-one "$current" </dev/null >/dev/null 2>&1 &
    echo $! > "$current.pid"
  )
}

while :; do
  # A virtio-serial port that has no client is at its end at once.
  if ! IFS=' ' read -r tag verb seq total length chunk <&3; then
    usleep 100000
    continue
  fi
  case "$tag" in
    @????????????????) tag=\${tag#@} ;;
    *) continue ;;
  esac
  case "$tag" in *[!0-9a-f]*) continue ;; esac
  case "$verb" in
    ping) reply pong ;;
    stop)
      [ "$tag" != "$current" ] || end_current
      reply stopped
      ;;
    exec)
      [ "\${#chunk}" = "$length" ] || continue
      if [ "$tag" = "$current" ]; then
        reply "have $total"
        continue
      fi
      if [ "$tag" != "$incoming" ]; then
        incoming=$tag body= have=0
      fi
      if [ "$seq" = "$((have + 1))" ]; then
        body=$body$chunk have=$seq
      fi
      reply "have $have"
      [ "$have" = "$total" ] || continue
      end_current
      current=$tag incoming=
      if printf '%b' "$body" > "$tag.sh"; then
        start_current
      else
        reply 'failed no space for the command'
      fi
      ;;
  esac
done
`;

/** `/etc/exec-one TAG`: runs one command and sends what it printed and its exit code. */
export const execOne: string = `#!/bin/sh
tag=$1
out=/tmp/$tag.out
err=/tmp/$tag.err
(cd / && exec sh "/run/vmplug/$tag.sh") </dev/null >"$out" 2>"$err" 3>&-
code=$?
if [ -s "$out" ] || [ -s "$err" ]; then
  set -- $(stat -c %s "$out" "$err")
else
  set -- 0 0
fi
stream() {
  if [ "$2" -gt 4096 ]; then
    printf '\\n=%s %s gzip\\n' "$tag" "$1"
    gzip -1 -c "$3" | base64 -w 1024
  else
    printf '\\n=%s %s plain\\n' "$tag" "$1"
    [ "$2" = 0 ] || base64 -w 1024 "$3"
  fi
}
if [ "$(($1 + $2))" -gt 16777216 ]; then
  : > "$tag.pid"
  printf '\\n=%s too-much %s\\n' "$tag" "$(($1 + $2))" >&3
else
  {
    stream out "$1" "$out"
    stream err "$2" "$err"
    : > "$tag.pid"
    printf '\\n=%s end %s %s %s\\n' "$tag" "$code" "$1" "$2"
  } >&3
fi
rm -f "$tag".* "/tmp/$tag".*
`;

/** `/etc/powerd`: an ACPI power button press (`system_powerdown`) ends the guest in an orderly way (24 bytes are one input event). */
export const powerd: string = `#!/bin/sh
PATH=/bin
for name in /sys/class/input/event*/device/name; do
  read -r text 2>/dev/null < "$name" || continue
  [ "$text" = 'Power Button' ] || continue
  event=\${name%/device/name}
  head -c 24 "/dev/input/\${event##*/}" >/dev/null && exec poweroff
done
exec sleep 86400
`;

/**
 * `/bin/disks`: prints the disks as one JSON array, and keeps `/dev/disk/by-id` as udev would: a link for each disk
 * that has a serial, none for what is gone or has become another disk.
 */
export const disks: string = `#!/bin/sh
by_id=/dev/disk/by-id
links=' '
list=
[ -d $by_id ] || mkdir -p $by_id

trim() {
  value=$1
  while :; do
    case "$value" in
      ' '*) value=\${value# } ;;
      *' ') value=\${value% } ;;
      *) return ;;
    esac
  done
}

for dir in /sys/block/vd* /sys/block/sd*; do
  [ -e "$dir/size" ] || continue
  name=\${dir##*/}
  size=0 read_only=0 serial= prefix=virtio-
  read -r size 2>/dev/null < "$dir/size" || continue
  read -r read_only 2>/dev/null < "$dir/ro"
  case "$name" in
    vd*) IFS= read -r serial 2>/dev/null < "$dir/serial" ;;
    sd*)
      if [ -e "$dir/device/vpd_pg80" ]; then
        serial=$(tail -c +5 "$dir/device/vpd_pg80" 2>/dev/null | tr -d '\\000')
      fi
      IFS= read -r vendor 2>/dev/null < "$dir/device/vendor"
      IFS= read -r model 2>/dev/null < "$dir/device/model"
      trim "$vendor"
      vendor=$value
      trim "$model"
      prefix=scsi-0\${vendor}_\${value}_
      ;;
  esac
  trim "$serial"
  serial=$value
  path=/dev/$name
  if [ -n "$serial" ]; then
    link=$prefix$serial
    case "$link" in
      *[!A-Za-z0-9#+.:=@_-]*) link=$(printf '%s' "$link" | sed 's/[^A-Za-z0-9#+.:=@_-]/_/g') ;;
    esac
    path=$by_id/$link
    [ "$path" -ef "/dev/$name" ] || ln -sfn "../../$name" "$path"
    links="$links$link "
  fi
  case "$serial" in
    *[![:print:]]* | *[\\\\\\"]*)
      serial=$(printf '%s' "$serial" | tr -d '[:cntrl:]' | sed 's/[\\\\"]/\\\\&/g') ;;
  esac
  [ "$read_only" = 1 ] && read_only=true || read_only=false
  list="$list,{\\"name\\":\\"$name\\",\\"size\\":$((size * 512)),\\"serial\\":\\"$serial\\",\\"path\\":\\"$path\\",\\"readOnly\\":$read_only}"
done

for path in $by_id/*; do
  case "$links" in
    *" \${path##*/} "*) ;;
    *) [ ! -L "$path" ] || rm -f "$path" ;;
  esac
done
printf '[%s]\\n' "\${list#,}"
`;
