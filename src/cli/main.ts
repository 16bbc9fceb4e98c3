import { enableCompileCache } from 'node:module';

// Compiled code is kept between runs: most of the start of a short command is compiling.
enableCompileCache();

const { runCommandLine } = await import('./program.ts');
process.exitCode = await runCommandLine(process.argv.slice(2));
