import * as z from 'zod';
import { deviceDrivers } from '../../api/device-type.ts';

/** What a process that is to be killed is told, and what it says: lines of JSON. */

const hooks = z.object({
  SysDevPrefix: z.string(),
  SysIOMMUPath: z.string(),
  SysBusPciDevicesPath: z.string(),
});
const paths = z.object({ sys: z.string(), proc: z.string(), dev: z.string() });

/** The one command that it carries out. */
export const jobSchema = z.object({
  stateDir: z.string(),
  sandbox: z.string(),
  action: z.enum(['attach', 'detach']),
  /** Of a detach also the device. */
  source: z.string(),
  options: z.object({
    driver: z.enum(deviceDrivers).optional(),
    tag: z.exactOptional(z.string()),
    mac: z.exactOptional(z.string()),
  }),
  /** Where this host's functions are; writes are done by whoever gives the job. */
  sysfs: z.object({ hooks, paths }).optional(),
});
export type Job = z.infer<typeof jobSchema>;

/** The answer to everything but `ready`, whose answer is a {@link Job}. */
export const answerSchema = z.object({ code: z.string(), message: z.string() }).partial();
export type Answer = z.infer<typeof answerSchema>;

export const saidSchema = z.union([
  z.object({ ready: z.literal(true) }),
  /** It is at a point of its own, and stands still. */
  z.object({ at: z.string() }),
  z.object({ write: z.string(), text: z.string() }),
  /** How the command ended: `done`, or the code of its error. */
  z.object({ ended: z.string() }),
]);
export type Said = z.infer<typeof saidSchema>;
