import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { cacheDirectory } from '../host/cache-directory.ts';

// Most of the start of a short command is compiling, so compiled code is kept between runs: in the
// user's own directory, because whoever can write to it decides what is run.
enableCompileCache(join(cacheDirectory(), 'compiled'));

// A reader that has seen enough, such as `head`, closes the pipe: that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

void import('./program.ts')
  .then(({ runCommandLine }) => runCommandLine(process.argv.slice(2)))
  .then((exitCode) => {
    process.exitCode = exitCode;
  });
