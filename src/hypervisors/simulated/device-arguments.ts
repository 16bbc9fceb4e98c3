import type { JsonObject } from '../../api/json.ts';
import { Refusal } from './simulated-errors.ts';

/** An argument that is a text; empty when it is none. */
export function textOf(args: JsonObject, key: string): string {
  const value = args[key];
  return typeof value === 'string' ? value : '';
}

/** An argument that is a whole number; `undefined` when it is none. */
export function numberOf(args: JsonObject, key: string): number | undefined {
  const value = args[key];
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;
}

/** An argument that is an object; empty when it is none. */
export function objectOf(args: JsonObject, key: string): JsonObject {
  const value = args[key];
  return typeof value === 'object' && value !== null && !isArray(value) ? value : {};
}

/** `Array.isArray` does not tell a read-only array from an object. */
function isArray(value: object): value is readonly unknown[] {
  return Array.isArray(value);
}

/**
 * An argument that must be there.
 * @throws Refusal
 */
export function required(args: JsonObject, key: string): string {
  if (args[key] === undefined) throw new Refusal(`Parameter '${key}' is missing`);
  return textOf(args, key);
}

/**
 * The id under which QEMU is to keep something (`id_wellformed`).
 * @throws Refusal
 */
export function checkId(id: string): string {
  if (!/^[A-Za-z][A-Za-z0-9\-._]*$/.test(id)) throw new Refusal("Parameter 'id' expects an identifier");
  return id;
}
