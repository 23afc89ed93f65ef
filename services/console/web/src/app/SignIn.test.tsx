import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { onPost, problem } from "@/testing/server";
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

it("says of a link with a wrong token what is wrong, and what to do", () => {
  render(<SignIn isRefused onSignedIn={() => undefined} />);
  expect(screen.getByRole("alert")).toHaveTextContent("The token of this link is not valid");
  expect(screen.getByRole("alert")).toHaveTextContent("Open the newest link, or enter another token");
});

it("says that a token is unknown", async () => {
  onPost("/login", () => problem(401, "unauthenticated", "no"));
  render(<SignIn onSignedIn={() => undefined} />);
  await userEvent.type(screen.getByLabelText("Token"), "wrong{Enter}");
  expect(await screen.findByText("The jobstore does not know this token.")).toBeVisible();
});
