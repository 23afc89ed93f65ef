import { screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Worker } from "@/api/types";
import { renderPage } from "@/testing/render";
import { json, on } from "@/testing/server";
import { WorkersPage } from "./WorkersPage";

const aWorker = (fields: Partial<Worker>): Worker => ({
  ...{ id: "a-worker", kind: "executor", version: "0.3.0", silent_s: 2, ends: false, capacity: 10, room: 7 },
  ...{ bound: "memory", paced: 0, protocols: ["http"], judge: "", keys: [], ...fields },
});

async function page(...workers: Worker[]) {
  on("get", "/api/workers", () => json({ workers }));
  await renderPage(<WorkersPage />);
}

it("shows what is stuck first, with what to do, and who serves what", async () => {
  await page(
    aWorker({ id: "frozen", code: "silent", message: "It was last heard of 41 s ago.", remedy: "Start another." }),
    aWorker({ protocols: ["a2a", "http"], partitions: 4 }),
    aWorker({ id: "judge", kind: "validator", judge: "default@3", keys: ["main"], paced: 2 }),
    aWorker({ id: "7", kind: "jobstore", capacity: 0, room: 0, ends: true }),
  );
  const stuck = await screen.findByRole("region", { name: "Stuck" });
  for (const text of ["Stuck", "executor", "frozen", "It was last heard of 41 s ago.", "Start another."]) {
    expect(stuck).toHaveTextContent(text);
  }
  const executors = screen.getByRole("region", { name: "Executors" });
  for (const text of ["3 of 10 in use, room for 7", "agents by a2a, http · 4 partitions", "0.3.0", "heard 2.0 s ago"]) {
    expect(executors).toHaveTextContent(text);
  }
  const validators = screen.getByRole("region", { name: "Validators" });
  expect(validators).toHaveTextContent("keys main · 2 asks wait for a judge's pace");
  expect(within(validators).getByRole("link", { name: "default@3" })).toHaveAttribute(
    "href",
    "/quality/judges/default?version=3",
  );
  expect(screen.getByRole("region", { name: "Jobstores" })).toHaveTextContent("Stopping");
});

it("says what does not go on without any of a kind", async () => {
  await page(aWorker({ code: "silent", message: "It is silent.", remedy: "Start another." }));
  expect(await screen.findByText(/nothing is judged until one is/)).toBeVisible();
  expect(screen.getByText("All of them need you: see above.")).toBeVisible();
});

it("says that nobody has reported", async () => {
  await page();
  expect(await screen.findByText("Nobody has reported yet")).toBeVisible();
});
