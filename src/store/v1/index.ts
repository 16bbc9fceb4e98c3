/** The state that Kata Containers 1.x saves: read, written, locked (contract section 5). */
export type * from './documents.ts';
export { chooseDriver, driverByName } from './drivers.ts';
export { FsPersistDriver } from './fs-persist-driver.ts';
export { readLegacyDevices } from './legacy-devices.ts';
export type { PersistDriver } from './persist-driver.ts';
export { printContainerState, printSandboxState } from './print.ts';
export { readContainerState, readSandboxState } from './read.ts';
