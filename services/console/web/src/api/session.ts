import { ApiError, unreachableError } from "./problem";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TOKEN = /^(sgn_[0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;

/** Whether a text begins as a token does and is none, by its length or its checksum: contracts/tokens.py. */
export function isMistyped(text: string): boolean {
  const token = text.trim();
  const [, begun, check] = TOKEN.exec(token) ?? [];
  return token.startsWith("sgn_") && (begun === undefined || writeCrc32(begun) !== check);
}

/** Write the CRC-32 of a text of ASCII in base62, with six digits. */
function writeCrc32(text: string): string {
  let crc = -1;
  for (const char of text) {
    crc ^= char.charCodeAt(0);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 && 0xedb88320);
  }
  let left = ~crc >>> 0;
  let digits = "";
  while (digits.length < 6) {
    digits = `${DIGITS[left % DIGITS.length]}${digits}`;
    left = Math.floor(left / DIGITS.length);
  }
  return digits;
}

/** Keep a token in the session cookie, which no script can read. */
export async function signIn(token: string): Promise<void> {
  await post("/login", { Authorization: `Bearer ${token.trim()}` });
}

/** Spend the one-time code of a login link, and keep the token that it is for likewise. */
export async function spendLoginCode(code: string): Promise<void> {
  await post("/login", { Authorization: `Login-Code ${code}` });
}

/** What the server says in the page of signing in: the provider's name, and what went wrong at a way back from it. */
export function readSignIn(): { provider: string | null; problem: string | null } {
  const read = (name: string) =>
    document.querySelector<HTMLMetaElement>(`meta[name="sign-in-${name}"]`)?.content ?? null;
  return { provider: read("provider"), problem: read("problem") };
}

/** Address at which a sign-in at the provider begins; it leads back to the page that is open. */
export function buildSignInAddress({ pathname, search }: Location): string {
  return `/login/oidc?${new URLSearchParams({ to: pathname + search })}`;
}

export async function signOut(): Promise<void> {
  await post("/logout", {});
}

async function post(address: string, headers: Record<string, string>): Promise<void> {
  const response = await fetch(address, { method: "POST", headers, credentials: "same-origin" }).catch(() => {
    throw unreachableError();
  });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new ApiError({ ...problem, status: response.status });
  }
}
