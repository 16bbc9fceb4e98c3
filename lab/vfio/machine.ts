/** QEMU's arguments of the two machines. Saved states fit only the arguments with which they were taken. */

/** The root ports of the outer machine into which devices are plugged; the guest has port N as bus N + 1. */
export const outerPorts: readonly string[] = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5'];

/** Which parts of the IOMMU the outer machine has, and whether its kernel uses it. */
export const iommus = ['on', 'off', 'no-interrupt-remapping'] as const;
export type Iommu = (typeof iommus)[number];

export interface OuterFiles {
  /** A QEMU 10 that finds its own firmware. */
  readonly qemu: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly disk: string;
}

export interface OuterChannels {
  /** A folder for sockets and the console's log. */
  readonly directory: string;
  /** The folder that the guest mounts with the tag `checkout`. */
  readonly checkout: string;
  /** The folder that the guest mounts with the tag `given`. */
  readonly work: string;
}

/** Paths of the sockets and logs in the folder of one outer machine. */
export function outerSockets(
  directory: string,
): Record<'qmp' | 'exec' | 'agent' | 'inner' | 'console', string> {
  const at = (name: string): string => `${directory}/${name}`;
  return {
    qmp: at('qmp'),
    exec: at('exec'),
    agent: at('agent'),
    inner: at('inner'),
    console: at('console.log'),
  };
}

/**
 * The outer machine: q35 with an Intel IOMMU under TCG, whose `-cpu max` has AMD's SVM, so that KVM works in it. It has
 * one CPU: on two, a device that is torn from a running VM can hang Linux 6.1 (see docs/reliability.md).
 * `hvc0` of the guest is the agent's, `hvc1` leads to the inner guest's second serial port.
 */
export function outerArguments(files: OuterFiles, channels: OuterChannels, iommu: Iommu): string[] {
  const sockets = outerSockets(channels.directory);
  const socket = (id: string, path: string): string[] => [
    '-chardev',
    `socket,id=${id},path=${path},server=on,wait=off`,
  ];
  const share = (tag: string, path: string): string[] => [
    ...['-fsdev', `local,id=fs-${tag},path=${path},security_model=none,readonly=on`],
    ...['-device', `virtio-9p-pci,fsdev=fs-${tag},mount_tag=${tag},bus=pcie.0`],
  ];
  return [
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-M', 'q35', '-smp', '1', '-m', '1280'],
    ...['-nodefaults', '-display', 'none', '-no-reboot'],
    ...['-kernel', files.kernel, '-initrd', files.initrd, '-append', outerCommandLine(iommu)],
    ...[
      '-device',
      `intel-iommu,intremap=${iommu === 'no-interrupt-remapping' ? 'off' : 'on'},caching-mode=on`,
    ],
    ...['-drive', `file=${files.disk},format=raw,if=none,id=root,readonly=on,file.locking=off`],
    ...['-device', 'virtio-blk-pci,drive=root,bus=pcie.0,addr=0x2'],
    ...outerPorts.flatMap((id, index) => rootPort(id, index)),
    ...rootPort('rb', outerPorts.length),
    ...['-device', 'pcie-pci-bridge,id=bridge,bus=rb'],
    ...[
      '-netdev',
      'user,id=net-bridged,restrict=on',
      '-device',
      'e1000,id=bridged,bus=bridge,addr=0x1,netdev=net-bridged,romfile=',
    ],
    ...share('checkout', channels.checkout),
    ...share('given', channels.work),
    ...['-device', 'virtio-serial-pci,id=serial,bus=pcie.0'],
    ...[...socket('agent', sockets.agent), '-device', 'virtconsole,chardev=agent,bus=serial.0'],
    ...[...socket('inner', sockets.inner), '-device', 'virtconsole,chardev=inner,bus=serial.0'],
    ...['-serial', `file:${sockets.console}`, ...socket('exec', sockets.exec), '-serial', 'chardev:exec'],
    ...['-qmp', `unix:${sockets.qmp},server=on,wait=off`],
  ];
}

function rootPort(id: string, index: number): string[] {
  const addr = (0x10 + index).toString(16);
  return [
    '-device',
    `pcie-root-port,id=${id},bus=pcie.0,addr=0x${addr},chassis=${index + 1},slot=${index + 1}`,
  ];
}

/** Pages that are free are zero: they take no room in a saved state. */
const quickBoot = 'quiet panic=-1 nokaslr mitigations=off no_timer_check tsc=reliable init_on_free=1';

function outerCommandLine(iommu: Iommu): string {
  return `console=ttyS0 ${quickBoot} intel_iommu=${iommu === 'off' ? 'off' : 'on'}`;
}

/** Where the inner machine's things are in the outer guest. */
export const innerQmp = '/run/inner/qmp';
/** A second monitor, for tests. */
export const innerMonitor = '/run/inner/monitor';

/** The inner machine, as a command line for the outer guest's shell. */
export const innerCommandLine: string = [
  ...['/q10/usr/bin/qemu-system-x86_64', '-L', '/q10/usr/share/qemu', '-L', '/q10/usr/share/seabios'],
  ...['-accel', 'kvm', '-cpu', 'qemu64', '-M', 'q35,smm=off,hpet=off,vmport=off', '-m', '96'],
  ...[
    '-nodefaults',
    '-display',
    'none',
    '-no-reboot',
    '-kernel',
    '/inner/vmlinuz',
    '-initrd',
    '/inner/initrd',
  ],
  ...['-append', `'console=ttyS0 ${quickBoot} lpj=4000000'`],
  ...[1, 2, 3, 4, 5, 6, 7, 8].flatMap((n) => [
    '-device',
    `pcie-root-port,id=rp${n},bus=pcie.0,addr=0x${n + 3},chassis=${n},slot=${n}`,
  ]),
  ...[
    '-serial',
    'file:/run/inner/console',
    '-chardev',
    'serial,id=exec,path=/dev/hvc1',
    '-serial',
    'chardev:exec',
  ],
  ...['-qmp', `unix:${innerQmp},server=on,wait=off`, '-qmp', `unix:${innerMonitor},server=on,wait=off`],
].join(' ');
