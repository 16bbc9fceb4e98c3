import * as z from 'zod';

/** What can be asked of the program over its control socket: one JSON object on each line. */

const vm = z.string();
const guest = z
  .object({
    onPlug: z.enum(['acknowledged', 'enumerated', 'live']),
    onUnplug: z.enum(['lets-go', 'refuses', 'ignores']),
    takesMs: z.number(),
    answersMs: z.number(),
    bootsMs: z.number(),
  })
  .partial();
const point = z
  .object({
    index: z.int(),
    kind: z.enum(['command', 'event']),
    name: z.string(),
    phase: z.enum(['before', 'done', 'after']),
    nth: z.int(),
  })
  .partial();

export const controlRequest = z.discriminatedUnion('do', [
  /** Every VM with its devices, its back ends and how many messages there were. */
  z.object({ do: z.literal('list') }),
  /** Lets virtual time pass. */
  z.object({ do: z.literal('advance'), ms: z.number() }),
  /** What the guest does, or what it does with one device. */
  z.object({ do: z.literal('guest'), vm, device: z.string().optional(), settings: guest }),
  z.object({ do: z.enum(['boot', 'reset', 'stop', 'cont', 'shut-down']), vm }),
  /** The guest lets go of a device, asked or not. */
  z.object({ do: z.literal('remove'), vm, device: z.string() }),
  /** The program behind a vhost-user socket ends. */
  z.object({ do: z.literal('hang-up'), vm, path: z.string() }),
  /** Stops the conversation at a point; `{"held":…}` is said when it is there. One hold for each VM. */
  z.object({ do: z.literal('hold'), vm, at: point }),
  /** Lets it go on, or cuts the client off there. */
  z.object({ do: z.literal('release'), vm, drop: z.boolean().optional() }),
  /** Cuts off the client that is served. */
  z.object({ do: z.literal('cut'), vm }),
  /** The whole program dies as by SIGKILL. */
  z.object({ do: z.literal('kill') }),
]);

export type ControlRequest = z.infer<typeof controlRequest>;
