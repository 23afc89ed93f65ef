import { toApiError } from "./problem";

/** Idempotency keys of requests whose answer is not known yet, by what they ask for. */
const keys = new Map<string, string>();

/**
 * Sends a request with an Idempotency-Key that names what it asks for. When the answer may have been lost, the key is
 * kept: the same request, sent again, does nothing twice.
 */
export async function withIdempotencyKey<T>(request: string, send: (key: string) => Promise<T>): Promise<T> {
  const key = keys.get(request) ?? crypto.randomUUID();
  keys.set(request, key);
  try {
    const answer = await send(key);
    keys.delete(request);
    return answer;
  } catch (error) {
    if (!toApiError(error).isTransient) keys.delete(request);
    throw error;
  }
}
