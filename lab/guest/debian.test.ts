import { expect, test } from 'vitest';
import { kernelPackageIn } from './debian.ts';

test('the kernel package is found in the description of the metapackage', () => {
  const text = `Package: linux-image-cloud-amd64
Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)
Description-en: Linux for x86-64 cloud (meta-package)
`;
  expect(kernelPackageIn(text)).toEqual({ name: 'linux-image-6.1.0-56-cloud-amd64', version: '6.1.192-2' });
  expect(kernelPackageIn('')).toBeUndefined();
});
