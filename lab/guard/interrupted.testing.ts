import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { Lab } from '../harness.ts';

/**
 * A program that has what a test may have, tells it in a line, and goes on until it is ended; with an argument it
 * ends by itself as a test does.
 */
await using lab = new Lab();
if (process.argv[2] === undefined) {
  await lab.run('vm');
  const vm = await lab.adopt('other', 'q35', ['-S'], { waits: false });
  const image = lab.image('disk.img');
  execFileSync('mkfs.ext4', ['-q', image]);
  const loop = execFileSync('losetup', ['-f', '--show', image], { encoding: 'utf8' }).trim();
  const mount = lab.path('mount');
  mkdirSync(mount);
  execFileSync('mount', [loop, mount]);
  tell({ pids: [lab.sandbox('vm').pid, vm.pid], loop, mount });
  setInterval(() => undefined, 1000);
  await new Promise(() => undefined);
}
tell({ pids: [], loop: '', mount: '' });

function tell(more: object): void {
  console.log(JSON.stringify({ directory: lab.directory, ...more }));
}
