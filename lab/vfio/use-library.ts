import { beforeAll } from 'vitest';
import type { Agent } from './agent.ts';
import { innerQmp } from './machine.ts';
import type { Outer } from './outer.ts';
import { Stages } from './stages.ts';

/** vmplug as a library in the outer machine of a file, with the running inner VM as the sandbox `inner`. */
export function useLibrary(outer: () => Outer): () => Agent {
  let agent: Agent | undefined;
  beforeAll(async () => {
    agent = await new Stages().time('start the library inside', async () => {
      const started = await outer().library();
      await started.adopt('inner', innerQmp);
      return started;
    });
  });
  return () => {
    if (agent === undefined) throw new Error('the library is there while tests run');
    return agent;
  };
}
