import type { Results } from './results.ts';
export function plotOf(results: Results): string { return results.kind; }
