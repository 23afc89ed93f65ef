import { screen, waitFor, within } from "@testing-library/react";
import type { UserEvent } from "@testing-library/user-event";
import { expect, it } from "vitest";
import { aViewer } from "@/testing/callers";
import { aJob } from "@/testing/factories";
import { aKept, anEffect, aRetention } from "@/testing/kept";
import { renderPage } from "@/testing/render";
import { items, json, on, onPost, problem } from "@/testing/server";
import { KeptPage } from "./KeptPage";

const serve = (kept = aKept(), ...retentions: object[]) => {
  on("get", "/api/kept", () => json(kept));
  on("get", "/api/retentions", () => items(...retentions));
};
const open = async (name: string) => {
  const page = await renderPage(<KeptPage />);
  await page.user.click(await screen.findByRole("button", { name }));
  return { ...page, dialog: screen.getByRole("dialog") };
};
const fill = async (user: UserEvent, label: string, text: string) => {
  await user.clear(screen.getByLabelText(label));
  if (text) await user.type(screen.getByLabelText(label), text);
};
const press = (user: UserEvent, name: string) => user.click(screen.getByRole("button", { name }));

it("says how much is kept, how it grows, what goes next and for how long", async () => {
  serve(aKept(), aRetention());
  await renderPage(<KeptPage />);
  expect(await screen.findByText("completed 90d, failed 180d")).toBeVisible();
  const tiles = screen.getByRole("region", { name: "How much" });
  for (const figure of ["8.24 GB", "1.21 GB", "912 MB", "9.83 MB", "12,000"]) expect(tiles).toHaveTextContent(figure);
  expect(screen.getByText(/1,200 jobs a day, and 1.31 MB of archive.*40 removed jobs/)).toBeVisible();
  expect(screen.getByRole("region", { name: "Archive" })).toHaveTextContent("120 entries behind");
  const next = screen.getByRole("region", { name: "What goes next" });
  expect(within(next).getByRole("row", { name: /Tenant press, completed .* 12/ })).toBeVisible();
  expect(screen.queryByRole("region", { name: "What keeps removal back" })).not.toBeInTheDocument();
});

it("says that all is kept for ever, and what it takes that anything goes", async () => {
  const archive = { is_configured: false, bytes: 0, parts: 0, behind: 0, checkpoint: 0 };
  serve(aKept({ is_on: false, next: [], topics: [], archive, growth: { ...aKept().growth, days: 0 } }));
  await renderPage(<KeptPage />);
  expect(await screen.findByText("All is kept for ever")).toBeVisible();
  expect(screen.getByText("SIGNOFF_ARCHIVE")).toBeVisible();
  expect(
    screen.getByText("How it grows is known after a day. The logs of 40 removed jobs are still to be cut."),
  ).toBeVisible();
  expect(screen.getByText("Nothing: no retention says that anything goes.")).toBeVisible();
});

it("gives what keeps removal back with a way to what helps, or its command", async () => {
  const back = (code: string, remedy: string) => ({ code, count: 2, message: `It is ${code}.`, remedy });
  const kept_back = [
    back("operation_live", "Wait for its end."),
    back("archive_broken", "see whether it is whole: signoff archive verify."),
  ];
  serve(aKept({ kept_back }));
  await renderPage(<KeptPage />);
  const section = await screen.findByRole("region", { name: "What keeps removal back" });
  expect(within(section).getByRole("link", { name: "See the batches" })).toHaveAttribute("href", "/batches");
  expect(within(section).getByRole("button", { name: "Copy the command signoff archive verify" })).toBeVisible();
});

it("shows who reads some tenants how long theirs are kept, and asks for nothing else", async () => {
  serve(aKept(), aRetention());
  const asked = on("get", "/api/kept", () => problem(403, "forbidden", "no"));
  on("get", "/api/me", () => json(aViewer()));
  await renderPage(<KeptPage />);
  const change = await screen.findByRole("button", { name: "Change tenant:press" });
  expect(change).toHaveAttribute("title", expect.stringMatching(/^It needs the role administrator/));
  expect(asked).toHaveLength(0);
});

it("saves a retention only once it has shown what that removes", async () => {
  serve(aKept(), aRetention());
  const now = anEffect({
    jobs: 312,
    counts: { COMPLETED: 300, FAILED: 12 },
    bytes: 2_555_904,
    sample: [aJob({ title: "Alpha" })],
  });
  const later = anEffect({ jobs: 100_000, counts: { CANCELLED: 100_000 }, has_more: true, operations: 3 });
  const kept_back = [{ code: "no_archive", count: 0, message: "There is no archive.", remedy: "" }];
  const previews = onPost("/api/retentions/preview", () => json({ retention: aRetention(), now, later, kept_back }));
  const saved = on("patch", "/api/retentions/:name", () => json(aRetention({ version: 3 })));
  const { user, dialog } = await open("Change tenant:press");
  expect(screen.getByLabelText("Completed")).toHaveValue("90d");
  await fill(user, "Completed", "30 d");
  await fill(user, "Failed", "");
  expect(screen.queryByRole("button", { name: "Save" })).not.toBeInTheDocument();
  await press(user, "Show what it removes");
  const effects = await within(dialog).findByRole("region", { name: "What it removes" });
  expect(effects).toHaveTextContent("At once: 312 jobs (300 completed, 12 failed), about 2.56 MB.Alpha");
  expect(effects).toHaveTextContent("at least 100,000 jobs (100,000 cancelled, 3 operations)");
  expect(effects).toHaveTextContent("Yet nothing goes for now:There is no archive.");
  expect(await previews[0]?.json()).toEqual({ name: "tenant:press", completed_s: 2_592_000, failed_s: null });
  await fill(user, "Rejected", "1h");
  expect(screen.queryByRole("button", { name: "Save" })).not.toBeInTheDocument();
  await press(user, "Show what it removes");
  await user.click(await screen.findByRole("button", { name: "Save" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
  expect(await saved[0]?.json()).toEqual({ completed_s: 2_592_000, failed_s: null, rejected_s: 3_600 });
  expect(saved[0]?.headers.get("If-Match")).toBe('"2"');
});

it("sets a new one as a whole, and asks for nothing while a span or the name is wrong", async () => {
  serve();
  const previews = onPost("/api/retentions/preview", () =>
    json({ retention: aRetention(), now: anEffect(), later: anEffect(), kept_back: [] }),
  );
  const saved = on("put", "/api/retentions/:name", () => json(aRetention()));
  const { user, dialog } = await open("Set a retention");
  await fill(user, "Name", "press");
  await fill(user, "Completed", "30s");
  await fill(user, "Failed", "two weeks");
  await press(user, "Show what it removes");
  for (const words of [
    "It is such as tenant:press, or tenant:*.",
    /^It is a minute at least/,
    "It is such as 90d, 36h or 30m.",
  ])
    expect(await within(dialog).findByText(words)).toBeVisible();
  expect(previews).toHaveLength(0);
  await fill(user, "Name", "tenant:press");
  await fill(user, "Completed", "90m");
  await fill(user, "Failed", "");
  await press(user, "Show what it removes");
  await user.click(await screen.findByRole("button", { name: "Save" }));
  await waitFor(() => expect(saved).toHaveLength(1));
  const none = {
    failed_s: null,
    rejected_s: null,
    resubmission_required_s: null,
    cancelled_s: null,
    operations_s: null,
  };
  expect(await saved[0]?.json()).toEqual({ completed_s: 5_400, ...none });
  expect(dialog).not.toBeInTheDocument();
});

it("saves nothing where what it removes cannot be told, and asks again", async () => {
  serve(aKept(), aRetention());
  onPost("/api/retentions/preview", () => problem(503, "database_away", "the database is away"));
  const { user } = await open("Change tenant:press");
  await press(user, "Show what it removes");
  expect(await screen.findByText("the database is away")).toBeVisible();
  expect(screen.queryByRole("button", { name: "Save" })).not.toBeInTheDocument();
  onPost("/api/retentions/preview", () =>
    json({ retention: aRetention(), now: anEffect(), later: anEffect(), kept_back: [] }),
  );
  await press(user, "Show what it removes");
  expect(await screen.findByRole("button", { name: "Save" })).toBeVisible();
});

it("goes on with what somebody else has set meanwhile, and shows anew what it removes", async () => {
  serve(aKept(), aRetention());
  const previews = onPost("/api/retentions/preview", () =>
    json({ retention: aRetention(), now: anEffect(), later: anEffect(), kept_back: [] }),
  );
  on("patch", "/api/retentions/:name", () => problem(412, "version_conflict", "it is at version 3"));
  on("get", "/api/retentions/:name", () => json(aRetention({ version: 3, failed_s: 86_400 })));
  const { user } = await open("Change tenant:press");
  await fill(user, "Completed", "30d");
  await press(user, "Show what it removes");
  await user.click(await screen.findByRole("button", { name: "Save" }));
  expect(await screen.findByText("tenant:press has changed meanwhile; nothing was saved.")).toBeVisible();
  await user.click(await screen.findByRole("button", { name: "Load" }));
  expect(screen.getByLabelText("Failed")).toHaveValue("1d");
  expect(screen.getByLabelText("Completed")).toHaveValue("30d");
  await press(user, "Show what it removes");
  await waitFor(() => expect(previews).toHaveLength(2));
  expect(await previews[1]?.json()).toEqual({ name: "tenant:press", completed_s: 2_592_000 });
});

it("deletes a retention as it was seen, and says what holds then", async () => {
  serve(aKept(), aRetention());
  const asked = on("delete", "/api/retentions/:name", () => new Response(null, { status: 204 }));
  const { user } = await renderPage(<KeptPage />);
  await user.click(await screen.findByRole("button", { name: "Delete tenant:press" }));
  const dialog = screen.getByRole("alertdialog", { name: "Delete this retention?" });
  expect(dialog).toHaveTextContent("as tenant:* says, which may be shorter");
  await user.click(within(dialog).getByRole("button", { name: "Delete" }));
  await waitFor(() => expect(asked[0]?.headers.get("If-Match")).toBe('"2"'));
});
