import { ApiError, unreachableError } from "./problem";

/** Keep a token in the session cookie, which no script can read. */
export async function signIn(token: string): Promise<void> {
  await post("/login", { Authorization: `Bearer ${token.trim()}` });
}

/** Spend the one-time code of a login link, and keep the token that it is for likewise. */
export async function spendLoginCode(code: string): Promise<void> {
  await post("/login", { Authorization: `Login-Code ${code}` });
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
