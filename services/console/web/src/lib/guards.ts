/** Guards of values that others wrote, put together as the values are; members that no guard names are let pass. */
export type Guard<T> = (value: unknown) => value is T;
export type Guarded<G> = G extends Guard<infer T> ? T : never;

export const isText = (value: unknown): value is string => typeof value === "string";
export const isNumber = (value: unknown): value is number => Number.isFinite(value);
export const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";

/** Make the guard of a value that may be null, or not be there. */
export const maybe =
  <T>(guard: Guard<T>): Guard<T | null | undefined> =>
  (value): value is T | null | undefined =>
    value == null || guard(value);

export const listOf =
  <T>(guard: Guard<T>): Guard<T[]> =>
  (value): value is T[] =>
    Array.isArray(value) && value.every(guard);

/** Make the guard of an object with any members, all alike. */
export const mapOf =
  <T>(guard: Guard<T>): Guard<Record<string, T>> =>
  (value): value is Record<string, T> =>
    isObject(value) && Object.values(value).every(guard);

/** Members of an object; those that may not be there are optional. */
type Members<G> = { [K in keyof G as undefined extends Guarded<G[K]> ? never : K]: Guarded<G[K]> } & {
  [K in keyof G as undefined extends Guarded<G[K]> ? K : never]?: Guarded<G[K]>;
};

export const objectOf =
  <G extends Record<string, Guard<unknown>>>(members: G): Guard<Members<G>> =>
  (value): value is Members<G> =>
    isObject(value) && Object.entries(members).every(([name, guard]) => guard(value[name]));

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
