export { execInGuest, waitForGuest, type GuestResult } from './exec.ts';
export { ensureGuestImage, type GuestImage, type GuestImageOptions } from './image.ts';
export type { GuestWait } from './port.ts';
