import type { Outer } from './outer.ts';

export interface FrozenVmOptions {
  /** `10` or the system's, `7`. */
  readonly qemu?: '7' | '10';
  /** In MiB; 64 by default. */
  readonly memory?: number;
  /** Runs as the user 1000 and may lock so many bytes. */
  readonly memlock?: number;
}

/** A VM in the outer guest that has no guest of its own and whose CPU never runs. */
export interface FrozenVm {
  readonly qmp: string;
  readonly pid: number;
}

const programs = {
  '7': '/usr/bin/qemu-system-x86_64',
  '10': '/q10/usr/bin/qemu-system-x86_64 -L /q10/usr/share/qemu -L /q10/usr/share/seabios',
};

/** Starts one and waits until its monitor is there. It ends with the outer machine. */
export async function startFrozenVm(
  outer: Outer,
  name: string,
  options: FrozenVmOptions = {},
): Promise<FrozenVm> {
  const { qemu = '10', memory = 64, memlock } = options;
  const directory = `/run/vm-${name}`;
  const qmp = `${directory}/qmp`;
  const user =
    memlock === undefined
      ? ''
      : `/usr/bin/prlimit --memlock=${memlock}:${memlock} /usr/bin/setpriv --reuid 1000 --regid 1000 --clear-groups`;
  const ports = [1, 2, 3, 4].map((n) => `-device pcie-root-port,id=rp${n},bus=pcie.0,chassis=${n},slot=${n}`);
  const pid = await outer.sh(`set -e
mkdir -m 777 ${directory}
setsid ${user} ${programs[qemu]} -S -accel tcg -M q35 -m ${memory} -nodefaults -display none ${ports.join(' ')} \\
  -qmp unix:${qmp},server=on,wait=off </dev/null >${directory}/log 2>&1 &
until [ -S ${qmp} ]; do kill -0 $! || { cat ${directory}/log; exit 1; }; sleep 0.05; done
echo $!`);
  return { qmp, pid: Number(pid) };
}

/** Ends one and waits until it is gone: what it held is free then. */
export async function endFrozenVm(outer: Outer, { pid }: FrozenVm): Promise<void> {
  await outer.sh(`kill -9 ${pid}; while kill -0 ${pid} 2>/dev/null; do sleep 0.05; done`);
}
