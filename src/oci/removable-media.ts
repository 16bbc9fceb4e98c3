import type { DeviceInfo } from '../api/device-info.ts';

const floppyMajor = 2;
/** Of CD-ROM drives, with the old ones of their own kinds (Linux `Documentation/admin-guide/devices.txt`). */
const cdromMajors: ReadonlySet<number> = new Set([11, 15, 16, 17, 18, 20, 23, 24, 25, 26, 27, 28, 29, 32]);

/**
 * Whether a request is for a CD-ROM or floppy drive, which no guest is given. Only block nodes
 * are: as character nodes the same majors are terminals and frame buffers.
 */
export function isRemovableMedia({ DevType, Major }: Pick<DeviceInfo, 'DevType' | 'Major'>): boolean {
  return DevType === 'b' && (Major === floppyMajor || cdromMajors.has(Major));
}
