/** The scripts of the outer guest, for busybox's `sh`. */

/** `/init` of the initramfs: loads the modules and goes over to the disk. */
export const outerInit = `#!/bin/sh
PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r name file; do
  insmod "$file" || echo "cannot load $name"
done < /etc/modules
until mount -t ext4 -o ro,noload /dev/vda /root; do sleep 0.1; done
for folder in proc sys dev; do mount --move /$folder /root/$folder; done
exec switch_root /root /sbin/init
`;

/** `/etc/rc`: what is written to is in memory; the disk stays as it is, so that saved states fit it. */
export const outerRc = `#!/bin/sh
PATH=/sbin:/bin
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs run /run
mkdir -p /run/vmplug /run/share
hostname outer
ip link set lo up
ulimit -l unlimited
echo "outer: up"
`;

export const outerInittab = `::sysinit:/etc/rc
::respawn:/etc/execd
`;
