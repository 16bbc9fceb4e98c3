import { afterAll, beforeAll, inject } from 'vitest';
import './global-setup.ts';
import type { Iommu } from './machine.ts';
import { Outer } from './outer.ts';
import { Stages } from './stages.ts';

/** One outer machine for the tests of a file, each of which takes a port of its own. It ends after them. */
export function useOuter(iommu: Iommu = 'on'): () => Outer {
  let outer: Outer | undefined;
  beforeAll(async () => {
    outer = await new Stages().time('resume', () => Outer.resume(inject('outerImage'), iommu));
  });
  afterAll(async () => await outer?.[Symbol.asyncDispose]());
  return () => {
    if (outer === undefined) throw new Error('the outer machine is there while tests run');
    return outer;
  };
}
