/** A client of QMP, QEMU's monitor protocol. */
export { QmpConnection, type QmpConnectionOptions } from './connection.ts';
export { QmpClient, type QmpClientOptions } from './reconnect.ts';
export type { SendWithDescriptor } from './channel.ts';
export type { QmpCommand } from './commands.ts';
export { devicesOf, type QmpEventListener } from './events.ts';
export type { WaitOptions } from './limits.ts';
export type { QmpEvent, QmpGreeting } from './messages.ts';
export { qmpErrorOf, type QmpError } from './qmp-error.ts';
