import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { chooseTenant } from "@/api/tenants";
import { CommandPalette } from "@/app/palette/CommandPalette";
import { BatchesPage } from "@/batches/BatchesPage";
import { NewJobPage } from "@/jobs/form/NewJobPage";
import { JobsPage } from "@/jobs/list/JobsPage";
import { JudgesPage } from "@/judges/JudgesPage";
import { LimitsPage } from "@/limits/LimitsPage";
import { OverviewPage } from "@/system/OverviewPage";
import { aMe, aViewer } from "@/testing/callers";
import { aJob, anAgent, anOverview } from "@/testing/factories";
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
  ["overview", "/api/overview", () => json(anOverview()), <OverviewPage key="" search={{}} />],
  ["judge policies", "/api/judges", () => json({ items: [], validators: [] }), <JudgesPage key="" />],
  ["criteria sets", "/api/criteria-sets", () => items(), <JudgesPage key="" />],
  ["limits", "/api/limits", () => items(), <LimitsPage key="" />],
  ["batches", "/api/operations", () => items(), <BatchesPage key="" />],
] as const)("the chosen tenant is asked for: %s", async (_, path, answer, page) => {
  on("get", "/api/tenants", () => items({ name: "default" }, { name: "press" }));
  on("get", "/api/judges", () => json({ items: [], validators: [] }));
  on("get", "/api/criteria-sets", () => items());
  const asked = on("get", path, answer);
  const { user } = await renderPage(
    <>
      <TenantSwitch />
      {page}
    </>,
  );
  await waitFor(() => expect(asked.map(readTenant)).toEqual([null]));
  await user.selectOptions(await screen.findByRole("combobox", { name: "Tenant" }), "press");
  await waitFor(() => expect(asked.map(readTenant)).toEqual([null, "press"]));
});

it("the chosen tenant narrows what the palette finds", async () => {
  chooseTenant("press");
  on("get", "/api/agents", () =>
    items(
      anAgent({ id: "press:own", name: "own", tenant: "press", shared: false }),
      anAgent({ id: "common", name: "common" }),
      anAgent({ id: "film:own", name: "foreign", tenant: "film", shared: false }),
    ),
  );
  const asked = on("get", "/api/jobs", () => items(aJob({ title: "The moon", tenant: "press" })));
  const { user } = await renderPage(
    <CommandPalette open onOpenChange={() => undefined} onTheme={() => undefined} onHelp={() => undefined} />,
  );
  expect(await screen.findByRole("option", { name: "Jobs of agent own" })).toBeVisible();
  expect(screen.getByRole("option", { name: "Jobs of agent common" })).toBeVisible();
  expect(screen.queryByRole("option", { name: "Jobs of agent foreign" })).not.toBeInTheDocument();
  await user.type(screen.getByRole("combobox"), "moon");
  await waitFor(() => expect(asked.map(readTenant)).toEqual(["press"]));
});

it("a page that one may not read is not offered", async () => {
  on("get", "/api/me", () => json(aMe({ all_tenants: false, tenants: ["press"], may: ["list_audit"] })));
  await renderPage(
    <CommandPalette open onOpenChange={() => undefined} onTheme={() => undefined} onHelp={() => undefined} />,
  );
  expect(await screen.findByRole("option", { name: "Audit" })).toBeVisible();
  expect(screen.queryByRole("option", { name: "Dead letters" })).not.toBeInTheDocument();
});

const readTenant = ({ url }: Request) => new URL(url).searchParams.get("tenant");

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
