// The rooms of src/ from top to bottom. A room may import from those below it, never from those above.
const rooms = [
  'cli',
  'daemon',
  'oci',
  'manager',
  'sandbox',
  'operations',
  'devices',
  'hypervisors',
  'store',
  'host',
  'api',
];

const upward = rooms.slice(1).map((room, index) => ({
  name: `no-arrow-up-from-${room}`,
  comment: `src/${room} may not import from a room above it (ARCHITECTURE.md, "Rooms").`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: `^src/(${rooms.slice(0, index + 1).join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...upward,
    {
      name: 'no-cycle',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'devices-are-pure',
      comment: 'A device kind plans; it does no I/O.',
      severity: 'error',
      from: { path: '^src/(devices|api)/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(util|assert)$' },
    },
    {
      name: 'src-stands-alone',
      comment:
        'The lab, the benchmarks and the tools use src, not the other way round; the CLI may use the lab guest.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/cli/', '\\.test\\.ts$'] },
      to: { path: '^(lab|bench|tools|web)/' },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      extensions: ['.ts', '.js', '.cjs', '.json'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
