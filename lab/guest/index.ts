export { execInGuest, waitForGuest, type GuestResult } from './exec.ts';
export { ensureGuestImage } from './image.ts';
