import type { TestProject } from 'vitest/node';
import { ensureOuterImage, type OuterImage } from './outer-image.ts';
import { Stages } from './stages.ts';

declare module 'vitest' {
  interface ProvidedContext {
    outerImage: OuterImage;
  }
}

/** Makes the outer machine before the first test, or finds it in the cache. */
export default async function setup(project: TestProject): Promise<void> {
  const stages = new Stages();
  project.provide('outerImage', await stages.time('the outer machine', () => ensureOuterImage(stages)));
}
