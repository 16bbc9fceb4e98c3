import { execFile } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startForeignQemu, type ForeignQemu } from './foreign-qemu.ts';
import { Lab, vmplugProgram } from './harness.ts';

let lab: Lab;
let vm: ForeignQemu;

beforeAll(async () => {
  lab = new Lab();
  const memory = ['-machine', 'q35,nvdimm=on', '-m', '256M,slots=4,maxmem=2G'];
  vm = await startForeignQemu(lab.directory, [...memory, '-S'], { waits: false });
  await lab.ok('sandbox', 'adopt', 'vm', '--qmp', vm.qmp);
});
afterAll(async () => {
  await vm[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

/** Runs vmplug in a shell with its output led elsewhere. */
function shell(line: string): Promise<{ code: number; said: string }> {
  const env = { ...process.env, VMPLUG_STATE_DIR: lab.stateDir, VMPLUG: vmplugProgram };
  return new Promise((resolve) => {
    execFile('bash', ['-c', line], { env }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), said: `${stdout}${stderr}` });
    });
  });
}

test('a reader that goes away ends nothing, neither of what is printed nor of what is warned of', async () => {
  // What stays is warned of on stderr, right before the first command goes out.
  const source = `pmem:${lab.image('m.img', 4 << 20)}`;
  const attach = `"$VMPLUG" attach vm ${source} --wait acknowledged 2> >(exec 0<&-; sleep 0.01) > >(exec 0<&-)`;
  expect(await shell(`${attach}; echo "ended with $?"`)).toMatchObject({ said: 'ended with 0\n' });
  const { devices } = await lab.ok<{ devices: { state: string }[] }>('ls');
  expect(devices).toMatchObject([{ state: 'attached' }]);
  expect(await shell('"$VMPLUG" ls | head -0; echo "ended with ${PIPESTATUS[0]}"')).toMatchObject({
    said: 'ended with 0\n',
  });
});

test('output that cannot be written is told, and is no fault of vmplug', async () => {
  const { code, said } = await shell('"$VMPLUG" ls > /dev/full');
  expect(code).toBe(1);
  expect(said).toMatch(/^vmplug: cannot write its output: .*ENOSPC.*\n$/);
});
