import type { SandboxRecord } from '../api/sandbox.ts';

/** A sandbox under `--json`. */
export function sandboxDocument(sandbox: SandboxRecord): Record<string, unknown> {
  return {
    name: sandbox.name,
    hypervisor: sandbox.hypervisor,
    version: sandbox.facts.version,
    machine: sandbox.facts.machine,
    origin: sandbox.origin,
    socket: sandbox.socket,
    pid: sandbox.process?.pid ?? null,
    createdAt: new Date(sandbox.createdAt).toISOString(),
  };
}

/** `QEMU 7.2.22, pc-q35-7.2`; less where the VMM has not been asked yet. */
export function vmmText({ facts }: SandboxRecord): string {
  const vmm = facts.type === 'qemu' ? 'QEMU' : facts.type;
  const named = facts.version === '' ? vmm : `${vmm} ${facts.version}`;
  return facts.machine === '' ? named : `${named}, ${facts.machine}`;
}
