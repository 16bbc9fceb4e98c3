import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Layers: quick ones that need nothing, and the lab's, which start real guests, a file for each core at a time. */
export default defineConfig({
  test: {
    projects: [
      {
        // The examples import the package by its name, as its users do; no build is needed for that.
        resolve: { alias: { 'vmplug/api': source('src/api/index.ts'), vmplug: source('src/index.ts') } },
        test: {
          name: 'quick',
          include: ['{src,lab,tools,bench,examples}/**/*.test.ts'],
          exclude: ['**/*.lab.test.ts', '**/*.long.test.ts', '**/*.vfio.test.ts'],
          isolate: false,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'lab',
          include: ['{src,lab}/**/*.lab.test.ts'],
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'vfio',
          include: ['lab/vfio/*.vfio.test.ts'],
          globalSetup: ['lab/vfio/global-setup.ts'],
          // An outer machine has two CPUs, and waits for much of the time.
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'long',
          include: ['{src,lab}/**/*.long.test.ts'],
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 2 },
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
