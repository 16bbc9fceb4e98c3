import { expect, test } from 'vitest';
import { parseSource, sourceSchemes } from '../api/source.ts';
import { attachHelp } from './attach-help.ts';

const examples = attachHelp.slice(attachHelp.indexOf('Examples:')).match(/vmplug attach .*/g) ?? [];

test.each(['path', ...sourceSchemes])(
  '--help has an example of %s, and says what the source is',
  (scheme) => {
    const sources = examples.map((line) => line.split(' ')[3] ?? '');
    expect(sources.map((source) => parseSource(source).scheme)).toContain(scheme);
    expect(attachHelp).toContain(scheme === 'path' ? '\n  PATH ' : `\n  ${scheme}:`);
  },
);

test('what a kind needs is in its example', () => {
  expect(examples.find((line) => line.includes('vhost-user-fs:'))).toContain('--tag ');
  expect(examples.find((line) => line.includes('vhost-user-net:'))).toContain('--mac ');
});
