import { isBranch, stringifyJson } from "./exact-json";

type Fields = Record<string, unknown>;

/**
 * Make the JSON merge patch (RFC 7396) that leads from an object to another: only what differs, null for what is gone.
 *
 * Members of a field change one by one, and each of them as a whole, as the server merges them.
 */
export function makePatch(before: object, after: object, depth = 2): Fields {
  const [old, now] = [before as Fields, after as Fields];
  const gone = Object.keys(old).filter((name) => old[name] != null && now[name] == null);
  const given = Object.keys(now).filter(
    (name) => now[name] != null && stringifyJson(now[name]) !== stringify(old[name]),
  );
  return Object.fromEntries([
    ...gone.map((name) => [name, null]),
    ...given.map((name) => [
      name,
      depth > 1 && isObject(now[name])
        ? makePatch(isObject(old[name]) ? old[name] : {}, now[name], depth - 1)
        : now[name],
    ]),
  ]) as Fields;
}

const stringify = (value: unknown) => (value === undefined ? undefined : stringifyJson(value));

const isObject = (value: unknown): value is object => isBranch(value) && !Array.isArray(value);
