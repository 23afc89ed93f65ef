import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { StrictMode } from "react";
import { afterEach, expect, it, vi } from "vitest";
import { onPost, problem } from "@/testing/server";
import { takeLoginCode } from "./App";
import { SignIn } from "./SignIn";

it("asks for a token, and leads on once it is known", async () => {
  const asked = onPost("/login", () => new Response(null, { status: 204 }));
  const onSignedIn = vi.fn();
  render(<SignIn onSignedIn={onSignedIn} />);
  await userEvent.type(screen.getByLabelText("Token"), " secret ");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  await waitFor(() => expect(onSignedIn).toHaveBeenCalled());
  expect(asked[0]?.headers.get("Authorization")).toBe("Bearer secret");
});

it("spends the code of a login link once, and leads on", async () => {
  const asked = onPost("/login", () => new Response(null, { status: 204 }));
  const onSignedIn = vi.fn();
  render(
    <StrictMode>
      <SignIn loginCode="a-code" onSignedIn={onSignedIn} />
    </StrictMode>,
  );
  await waitFor(() => expect(onSignedIn).toHaveBeenCalledOnce());
  expect(asked.map(({ headers }) => headers.get("Authorization"))).toEqual(["Login-Code a-code"]);
});

it("says of a link that was used what to do", async () => {
  onPost("/login", () => problem(401, "unknown_login_code", "The link was used already, or is too old."));
  render(<SignIn loginCode="a-code" onSignedIn={() => undefined} />);
  expect(await screen.findByRole("alert")).toHaveTextContent("This link does not sign in any more");
  expect(screen.getByRole("alert")).toHaveTextContent("signoff login-link");
  expect(screen.queryByRole("status")).not.toBeInTheDocument();
});

it("takes the code off the address", () => {
  history.replaceState(null, "", "/login?token=old#a-code");
  expect(takeLoginCode()).toBe("a-code");
  expect(location.href).toMatch(/\/login$/);
  expect(takeLoginCode()).toBeNull();
  history.replaceState(null, "", "/#elsewhere");
  expect(takeLoginCode()).toBeNull();
  expect(location.hash).toBe("#elsewhere");
});

it("says that a token is unknown", async () => {
  onPost("/login", () => problem(401, "unauthenticated", "no"));
  render(<SignIn onSignedIn={() => undefined} />);
  await userEvent.type(screen.getByLabelText("Token"), "wrong{Enter}");
  expect(await screen.findByText("The jobstore does not know this token.")).toBeVisible();
});

it("says that a token was mistyped, and sends it nowhere", async () => {
  const asked = onPost("/login", () => new Response(null, { status: 204 }));
  const token = "sgn_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v3jWtks";
  render(<SignIn onSignedIn={() => undefined} />);
  const field = screen.getByLabelText("Token");
  for (const wrong of [token.slice(0, -1), `${token.slice(0, -1)}S`, `sgn_a${token.slice(5)}`]) {
    await userEvent.clear(field);
    await userEvent.type(field, `${wrong}{Enter}`);
    expect(await screen.findByText(/copy it whole/)).toBeVisible();
  }
  expect(asked).toHaveLength(0);
  await userEvent.clear(field);
  await userEvent.type(field, `${token}{Enter}`);
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(screen.queryByText(/copy it whole/)).not.toBeInTheDocument();
});

function say(name: string, content: string): void {
  const meta = document.createElement("meta");
  meta.name = `sign-in-${name}`;
  meta.content = content;
  document.head.append(meta);
}

afterEach(() => {
  for (const meta of document.querySelectorAll('meta[name^="sign-in-"]')) meta.remove();
});

it("leads to the provider, and from there back to the page that was asked for", () => {
  say("provider", "Keycloak");
  history.replaceState(null, "", "/jobs/7?tab=log");
  render(<SignIn onSignedIn={() => undefined} />);
  const link = screen.getByRole("link", { name: "Sign in with Keycloak" });
  expect(link).toHaveAttribute("href", "/login/oidc?to=%2Fjobs%2F7%3Ftab%3Dlog");
  expect(screen.getByRole("button", { name: "Sign in with the token" })).toBeVisible();
});

it("says what went wrong at the provider, and takes its answer off the address", () => {
  say("problem", "The sign-in is not accepted: sign in again.");
  history.replaceState(null, "", "/login/oidc/callback?code=c&state=s");
  expect(takeLoginCode()).toBeNull();
  expect(location.href).toMatch(/\/login$/);
  render(<SignIn onSignedIn={() => undefined} />);
  expect(screen.getByRole("alert")).toHaveTextContent("The sign-in is not accepted: sign in again.");
  expect(screen.queryByRole("link")).not.toBeInTheDocument();
});
