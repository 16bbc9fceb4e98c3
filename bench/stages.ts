/** What is measured of one device, in milliseconds from the request on. */
export const stages = ['attach-acknowledged', 'attach-live', 'detach'] as const;
export type Stage = (typeof stages)[number];

/** Who is measured. */
export const subjectNames = ['floor', 'library', 'libvirt', 'cli'] as const;
export type SubjectName = (typeof subjectNames)[number];

/** For people. */
export const stageTitles: Readonly<Record<Stage, string>> = {
  'attach-acknowledged': 'attach until the VMM has acknowledged it',
  'attach-live': 'attach until the guest’s driver is live',
  detach: 'detach until the device is gone',
};

export const subjectTitles: Readonly<Record<SubjectName, string>> = {
  floor: 'by hand over QMP',
  library: 'vmplug, library',
  libvirt: 'libvirt',
  cli: 'vmplug, command line',
};
