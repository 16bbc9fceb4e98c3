import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { cacheDirectory } from '../host/cache-directory.ts';

// Most of the start of a short command is compiling, so compiled code is kept between runs: in the
// user's own directory, because whoever can write to it decides what is run.
enableCompileCache(join(cacheDirectory(), 'compiled'));

// What cannot be said must not end what is being done: an operation would be cut off in the middle.
let isUnsaid = false;
process.stderr.on('error', () => undefined);
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that has seen enough, such as `head`, closes the pipe: that is no fault.
  if (error.code === 'EPIPE') return;
  process.stderr.write(`vmplug: cannot write its output: ${error.message}\n`);
  isUnsaid = true;
});
process.once('exit', () => {
  if (isUnsaid && process.exitCode === 0) process.exitCode = 1;
});

void import('./program.ts')
  .then(({ runCommandLine }) => runCommandLine(process.argv.slice(2)))
  .then((exitCode) => {
    process.exitCode = exitCode;
  });
