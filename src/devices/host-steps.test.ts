import { expect, test } from 'vitest';
import { disk, group, pciFunction } from './plan-request.testing.ts';
import { hostSteps } from './host-steps.ts';

test('a group with functions on drivers of this host is given to vfio-pci first', () => {
  const functions = [
    { ...pciFunction('0000:02:00.0'), hostDriver: 'nvme' },
    pciFunction('0000:02:00.1'),
    { ...pciFunction('0000:02:00.2'), hostDriver: null },
  ] as const;
  const host = group(...functions);
  expect(hostSteps(host)).toEqual([
    {
      summary: `give IOMMU group ${host.group} (0000:02:00.0 from nvme, 0000:02:00.2 from no driver) to vfio-pci`,
      undo: expect.stringContaining('back'),
      group: host.group,
      functions: [
        { address: '0000:02:00.0', driver: 'nvme' },
        { address: '0000:02:00.2', driver: null },
      ],
    },
  ]);
});

test('what vfio has already, and other kinds, need nothing of this host', () => {
  expect(hostSteps(group(pciFunction('0000:02:00.0')))).toEqual([]);
  expect(hostSteps(disk())).toEqual([]);
});
