import { defineConfig } from 'rolldown';

/**
 * The command line in few files: finding and linking seventy modules is most of the start of
 * `vmplug ls`. What every verb needs, and all that `ls` needs, is one of them.
 */
const core =
  /node_modules\/commander|src\/(api|store)\/|src\/manager\/listing|src\/sandbox\/(directories|life)|src\/cli\/(program|ls|output|options|errors|version|device-document)\.ts/;

/**
 * commander can run subcommands that are programs of their own, which vmplug has none of: what it
 * would start them with takes longer to load than all the rest of commander.
 */
const commanderStartsNoPrograms = {
  name: 'commander-starts-no-programs',
  resolveId(source: string, importer: string | undefined): string | undefined {
    const isCommander = importer?.includes('node_modules/commander/') === true;
    return isCommander && source === 'node:child_process' ? '\0no-programs' : undefined;
  },
  load: (id: string): string | undefined => (id === '\0no-programs' ? 'export default {};' : undefined),
};

export default defineConfig({
  plugins: [commanderStartsNoPrograms],
  input: { main: 'src/cli/main.ts' },
  platform: 'node',
  // Optional, and of compiled code: found at run time, or not.
  external: ['koffi'],
  output: {
    dir: 'dist/bin',
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    cleanDir: true,
    sourcemap: true,
    // Less to read at every start; names stay, so that a stack trace can be read too.
    minify: { mangle: false, compress: false, codegen: { removeWhitespace: true } },
    codeSplitting: { groups: [{ name: 'core', test: core }] },
  },
});
