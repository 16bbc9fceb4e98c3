/** JSON as it goes over a wire. Integers beyond 2^53 are bigints, so that none is rounded. */
export type JsonValue = string | number | bigint | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}
