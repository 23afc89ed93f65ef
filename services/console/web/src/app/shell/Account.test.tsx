import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { chooseTenant } from "@/api/tenants";
import { NewJobPage } from "@/jobs/form/NewJobPage";
import { JobsPage } from "@/jobs/list/JobsPage";
import { aMe, aViewer } from "@/testing/callers";
import { renderPage } from "@/testing/render";
import { items, json, on, serveJobs } from "@/testing/server";
import { Account } from "./Account";
import { TenantSwitch } from "./TenantSwitch";

const names = () => screen.queryAllByRole("link").map((link) => link.textContent);

it("says who one is, of which tenants, and until when; and leads to what one may read", async () => {
  on("get", "/api/me", () => json(aViewer({ tenants: ["press", "sport"], ends_at: "2126-11-25T00:00:00Z" })));
  const { user } = await renderPage(<Account />);
  await user.click(screen.getByRole("button", { name: "Account" }));
  expect(await screen.findByText("viewer of press, sport")).toBeVisible();
  expect(screen.getByText(/The session ends/)).toBeVisible();
  expect(screen.getByRole("button", { name: "Sign out" })).toBeVisible();
  expect(names()).toEqual(["Sessions", "Tenants"]);
});

it("leads administrators to all pages of who has access", async () => {
  const { user } = await renderPage(<Account />);
  await user.click(screen.getByRole("button", { name: "Account" }));
  await waitFor(() => expect(names()).toEqual(["Sessions", "Tokens", "Tenants", "Audit"]));
});

it("no tenant is chosen where there is one", async () => {
  const asked = on("get", "/api/me", () => json(aViewer()));
  await renderPage(<TenantSwitch />);
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(screen.queryByRole("combobox", { name: "Tenant" })).not.toBeInTheDocument();
});

it("the chosen tenant filters the jobs of this tab, until all are chosen", async () => {
  on("get", "/api/tenants", () => items({ name: "default" }, { name: "press" }));
  const asked = serveJobs([]);
  const { user } = await renderPage((search) => (
    <>
      <TenantSwitch />
      <JobsPage search={search} />
    </>
  ));
  await user.selectOptions(await screen.findByRole("combobox", { name: "Tenant" }), "press");
  const last = () => asked.at(-1)?.searchParams.get("tenant");
  await waitFor(() => expect(last()).toBe("press"));
  expect(sessionStorage.getItem("signoff.tenant")).toBe("press");
  await user.click(screen.getByRole("button", { name: "Remove the filter tenant press" }));
  await waitFor(() => expect(screen.getByRole("combobox", { name: "Tenant" })).toHaveValue(""));
});

it.each([
  ["of the chosen tenant", aMe(), "sport", "sport"],
  ["of the only one", aViewer(), null, "press"],
  ["of none where there are several", aViewer({ tenants: ["press", "sport"] }), null, ""],
  ["of default where one is of all", aMe(), null, "default"],
  ["of no tenant that one is not of", aViewer(), "sport", "press"],
])("a new job is %s", async (_, me, chosen, expected) => {
  chooseTenant(chosen);
  on("get", "/api/me", () => json(me));
  await renderPage(<NewJobPage />);
  expect(await screen.findByLabelText("Tenant")).toHaveValue(expected);
});
