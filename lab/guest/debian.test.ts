import { expect, test } from 'vitest';
import { debianSources } from './apt.ts';
import { kernelPackageIn, metapackageOf } from './debian.ts';

test('the kernel package is found in the description of the metapackage', () => {
  const text = `Package: linux-image-cloud-amd64
Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)
Description-en: Linux for x86-64 cloud (meta-package)
`;
  expect(kernelPackageIn(text)).toEqual({ name: 'linux-image-6.1.0-56-cloud-amd64', version: '6.1.192-2' });
  expect(kernelPackageIn('')).toBeUndefined();
});

test('each architecture has its own kernels, and s390x has no cloud one', () => {
  expect(metapackageOf({ architecture: 'amd64', flavour: 'cloud' })).toBe('linux-image-cloud-amd64');
  expect(metapackageOf({ architecture: 'amd64', flavour: 'full' })).toBe('linux-image-amd64');
  expect(metapackageOf({ architecture: 'arm64', flavour: 'cloud' })).toBe('linux-image-cloud-arm64');
  expect(metapackageOf({ architecture: 's390x', flavour: 'full' })).toBe('linux-image-s390x');
  expect(metapackageOf({ architecture: 's390x', flavour: 'cloud' })).toBeUndefined();
});

test("the sources of a release are those of the system's Debian archives, without other people's", () => {
  const targets = `http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm contrib
http://mirror.example/debian/ bookworm-updates main
http://mirror.example/debian-security/ bookworm-security main
https://packages.example.org/apt/ tools-bookworm main
http://mirror.example/debian/ bookworm main
`;
  expect(debianSources(targets, 'bookworm')).toEqual([
    'http://mirror.example/debian/ bookworm main',
    'http://mirror.example/debian/ bookworm-updates main',
    'http://mirror.example/debian-security/ bookworm-security main',
  ]);
  expect(debianSources(targets, 'bookworm', '-backports')).toEqual([
    'http://mirror.example/debian/ bookworm-backports main',
  ]);
});
