import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { aMe, aViewer } from "@/testing/callers";
import { renderPage } from "@/testing/render";
import { items, json, on, onPost, problem } from "@/testing/server";
import { AuditPage } from "./AuditPage";
import { parseAuditSearch } from "./audit-search";
import { SessionsPage } from "./SessionsPage";
import { TenantsPage } from "./TenantsPage";
import { TokensPage } from "./TokensPage";

const AT = "2026-11-25T00:00:00Z";
const TOKEN = {
  ...{ id: "1", name: "eve", role: "viewer", tenants: ["press"], all_tenants: false, hint: "sgn_ab" },
  ...{ created_at: AT, created_by: "token:bootstrap" },
};
const SECRET = "sgn_secret";

it("makes a token, and shows its secret once", async () => {
  on("get", "/api/tokens", () => items(TOKEN));
  const asked = onPost("/api/tokens", () => json({ token: { ...TOKEN, name: "bob" }, secret: SECRET }));
  const { user } = await renderPage(<TokensPage />);
  expect(await screen.findByText("viewer of press")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Make a token" }));
  await user.type(screen.getByLabelText("Name"), " bob ");
  await user.selectOptions(screen.getByLabelText("Role"), "operator");
  await user.type(screen.getByLabelText("Tenants"), "press, sport");
  await user.click(screen.getByRole("button", { name: "Make" }));
  const dialog = await screen.findByRole("dialog", { name: "Token of bob" });
  expect(await asked[0]?.json()).toEqual({
    ...{ name: "bob", role: "operator", tenants: ["press", "sport"], lasts_s: 7_776_000 },
  });
  expect(within(dialog).getByText(SECRET)).toBeVisible();
  await user.click(within(dialog).getByRole("button", { name: "Copy the token" }));
  expect(await navigator.clipboard.readText()).toBe(SECRET);
  await user.click(within(dialog).getByRole("button", { name: "Done" }));
  expect(screen.queryByText(SECRET)).not.toBeInTheDocument();
  expect(JSON.stringify({ ...sessionStorage, ...localStorage })).not.toContain(SECRET);
});

it("says at the field which tenant is none", async () => {
  on("get", "/api/tokens", () => items());
  const errors = [{ pointer: "#/tenants/0", message: "There is no tenant sport." }];
  onPost("/api/tokens", () => problem(422, "unknown_tenant", "There is no tenant sport.", errors));
  const { user } = await renderPage(<TokensPage />);
  await user.click(await screen.findByRole("button", { name: "Make a token" }));
  await user.type(screen.getByLabelText("Name"), "bob");
  await user.type(screen.getByLabelText("Tenants"), "sport");
  await user.click(screen.getByRole("button", { name: "Make" }));
  await waitFor(() =>
    expect(screen.getByLabelText("Tenants")).toHaveAccessibleDescription(/There is no tenant sport\./),
  );
});

it("a token of all tenants is offered to those alone who are of all", async () => {
  on("get", "/api/me", () => json(aMe({ all_tenants: false, tenants: ["press"] })));
  on("get", "/api/tokens", () => items());
  const { user } = await renderPage(<TokensPage />);
  await user.click(await screen.findByRole("button", { name: "Make a token" }));
  await waitFor(() => expect(screen.getByLabelText("Tenants")).toBeVisible());
  expect(screen.queryByLabelText(/Of all tenants/)).not.toBeInTheDocument();
});

it("rotates a token with an overlap, and revokes one once it is confirmed", async () => {
  on("get", "/api/tokens", () => items(TOKEN));
  const rotated = onPost("/api/tokens/eve/rotate", () => json({ token: TOKEN, secret: SECRET }));
  const revoked = on("delete", "/api/tokens/eve", () => new Response(null, { status: 204 }));
  const { user } = await renderPage(<TokensPage />);
  await user.click(await screen.findByRole("button", { name: "Rotate eve" }));
  const hours = screen.getByLabelText("Hours for which the one before goes on");
  await user.clear(hours);
  await user.type(hours, "2");
  await user.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "Rotate" }));
  const dialog = await screen.findByRole("dialog", { name: "Token of eve" });
  expect(await rotated[0]?.json()).toEqual({ overlap_s: 7_200 });
  await user.click(within(dialog).getByRole("button", { name: "Done" }));
  await user.click(screen.getByRole("button", { name: "Revoke eve" }));
  expect(revoked).toHaveLength(0);
  await user.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "Revoke" }));
  await waitFor(() => expect(revoked).toHaveLength(1));
});

it("offers nothing for a token that was revoked", async () => {
  on("get", "/api/tokens", () => items({ ...TOKEN, revoked_at: AT }));
  await renderPage(<TokensPage />);
  expect(await screen.findByText(/revoked/, { selector: "span" })).toBeVisible();
  expect(screen.queryByRole("button", { name: "Revoke eve" })).not.toBeInTheDocument();
});

it("lists sessions, says which is one's own, and ends one", async () => {
  const session = { ...TOKEN, actor: "token:eve", client: "cli" };
  on("get", "/api/me", () => json(aViewer({ session_id: "2" })));
  on("get", "/api/sessions", () => items(session, { ...session, id: "2", client: "console" }));
  const ended = on("delete", "/api/sessions/1", () => new Response(null, { status: 204 }));
  const { user } = await renderPage(<SessionsPage />);
  expect(await screen.findByText(", this one")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "End the session of eve at cli" }));
  await user.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "End" }));
  await waitFor(() => expect(ended).toHaveLength(1));
  expect(screen.queryByRole("link", { name: "Tokens" })).not.toBeInTheDocument();
});

it("registers a tenant, and says at the field what is wrong with its name", async () => {
  const errors = [{ pointer: "#/name", message: "Its prefix is in use." }];
  const answers = [problem(422, "invalid_request", "no", errors), json({ name: "press" })];
  const asked = onPost("/api/tenants", () => answers.shift() as Response);
  const { user } = await renderPage(<TenantsPage />);
  await user.click(await screen.findByRole("button", { name: "Register a tenant" }));
  await user.type(screen.getByLabelText("Name"), "press");
  await user.click(screen.getByRole("button", { name: "Register" }));
  expect(await screen.findByText("Its prefix is in use.")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Register" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
  expect(await asked[1]?.json()).toEqual({ name: "press", title: null });
});

it("a tenant's administrator is told who registers tenants", async () => {
  on("get", "/api/me", () => json(aMe({ all_tenants: false, tenants: ["press"], may: ["list_tenants"] })));
  await renderPage(<TenantsPage />);
  const make = await screen.findByRole("button", { name: "Register a tenant" });
  await waitFor(() =>
    expect(make).toHaveAccessibleDescription(
      "It needs the role administrator of all tenants; you are administrator of press.",
    ),
  );
});

it("searches the audit by the address, and exports what is found", async () => {
  const entry = {
    ...{ id: "7", at: AT, actor: "token:eve", action: "create_token", method: "CreateToken", outcome: "refused" },
    ...{
      code: "forbidden",
      reason: "role",
      name: "bob",
      tenants: ["press"],
      all_tenants: false,
      count: 3,
      address: "",
    },
  };
  const asked = on("get", "/api/audit", () => items(entry));
  const search = parseAuditSearch({
    actor: "token:eve",
    tenant: "press",
    outcome: "refused",
    since: "nonsense",
    action: "",
  });
  const { user, router } = await renderPage(<AuditPage search={search} />);
  expect(await screen.findByRole("list", { name: "Entries" })).toHaveTextContent("refused (forbidden, role)");
  expect(screen.getByText("bob · press · 3 times")).toBeVisible();
  expect(new URL(asked[0]!.url).search).toBe("?actor=token%3Aeve&tenant=press&outcome=refused&page_size=100");
  const address = screen.getByRole("link", { name: "Export as JSON lines" }).getAttribute("href");
  expect(address).toBe("/api/audit/export?actor=token%3Aeve&tenant=press&outcome=refused");
  await user.type(screen.getByLabelText("Action"), "create_token");
  await user.clear(screen.getByLabelText("Tenant"));
  await user.type(screen.getByLabelText("Tenant"), "film");
  await user.click(screen.getByRole("button", { name: "Search" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/audit"));
  expect(router.state.location.search).toMatchObject({
    actor: "token:eve",
    action: "create_token",
    tenant: "film",
    outcome: "refused",
  });
});
