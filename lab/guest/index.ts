export { execInGuest, waitForGuest, type GuestResult } from './exec.ts';
export { ensureGuestImage, findGuestImage } from './image.ts';
