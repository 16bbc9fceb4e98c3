import { z } from 'zod';
import type { JsonObject } from '../../../src/api/json.ts';
import type { AttachOptions } from '../../../src/manager/vmplug.ts';

/** What the agent in the outer guest is asked to do: a method of `Vmplug` with its arguments, or a command for a VMM. */
const callSchema = z.discriminatedUnion('do', [
  z.object({ do: z.literal('adopt'), name: z.string(), qmp: z.string() }),
  z.object({
    do: z.literal('attach'),
    sandbox: z.string(),
    source: z.string(),
    options: z.custom<AttachOptions>(),
  }),
  z.object({ do: z.literal('detach'), sandbox: z.string(), device: z.string(), timeoutMs: z.number() }),
  z.object({ do: z.literal('forget'), name: z.string() }),
  z.object({ do: z.literal('inspect'), device: z.string() }),
  z.object({ do: z.literal('list') }),
  z.object({ do: z.literal('doctor'), repair: z.boolean() }),
  z.object({ do: z.literal('tell'), qmp: z.string(), execute: z.string(), args: z.custom<JsonObject>() }),
]);
export type Call = z.infer<typeof callSchema>;

/** A line to the agent. */
export const requestSchema = z.object({ id: z.number(), call: callSchema });

/** A line from the agent: what the call returned, or how its error was. */
export const replySchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('returned'), id: z.number(), value: z.unknown().optional() }),
  z.object({
    kind: z.literal('threw'),
    id: z.number(),
    error: z.object({
      code: z.string(),
      message: z.string(),
      subject: z.string(),
      reason: z.string(),
      hint: z.string().nullable(),
      facts: z.record(z.string(), z.unknown()),
      cause: z.string().nullable(),
    }),
  }),
]);
export type Reply = z.infer<typeof replySchema>;
