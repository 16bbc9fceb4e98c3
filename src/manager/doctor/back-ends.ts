import { servedDevice } from '../../operations/back-end-errors.ts';
import { person, type Finding } from './finding.ts';
import { asking, type Look } from './look.ts';

/** Devices whose program behind the socket has gone: the guest's requests are answered by nobody. */
export async function lostBackEnds(context: Look): Promise<Finding[]> {
  const { store, sandbox, hypervisor } = context;
  const served = store
    .read((tx) => tx.attachments(sandbox.name))
    .filter((attachment) => attachment.state === 'attached' && servedDevice(attachment) !== undefined);
  const observations = await Promise.all(
    served.map(({ plan, place }) => hypervisor.observe(plan.vmmId, place, asking(context))),
  );
  return served
    .filter((_, index) => observations[index]?.backend === 'lost')
    .map(({ id, source }) => ({
      problem: 'backend-lost',
      sandbox: sandbox.name,
      device: id,
      what: `the program behind ${source} has gone, and the VM does not connect again`,
      remedy: `vmplug detach ${sandbox.name} ${id}, start the program, and attach it anew`,
      why: 'QEMU connects to such a program once; what the guest asks of the device is answered by nobody',
      plan: [
        person(`vmplug detach ${sandbox.name} ${id}: a guest that waits for an answer may not let go`),
        person('start the program, and attach it anew'),
      ],
      truths: { recorded: 'attached', vmm: 'has it, disconnected', host: 'no program' },
      repaired: false,
    }));
}
