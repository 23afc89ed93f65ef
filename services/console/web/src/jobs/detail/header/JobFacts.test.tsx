import { screen } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { AgentNames } from "@/api/agents";
import type { Job } from "@/api/types";
import { JobLogItem } from "@/jobs/detail/history/JobLogItem";
import { aJob, aLog } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { JobHeader } from "./JobHeader";

const Head = ({ job }: { job: Job }) => (
  <JobHeader job={job} openByKey={null} onOpenedByKey={() => undefined} onDuplicate={() => undefined} />
);

it("the head of a job says whose it is, when it begins and what it has cost", async () => {
  const job = aJob({
    agent_id: undefined,
    status: "PENDING",
    capabilities: ["ocr", "de"],
    tenant: "library",
    not_before: new Date(Date.now() + 90_000).toISOString(),
    cost_usd: "0.25",
    tokens: 1_200,
    policy: { budget_usd: "2", budget_tokens: 5_000 },
  });
  await renderPage(<Head job={job} />);
  const spent = "$0.25 of $2.00, 1,200 of 5,000 tokens";
  const facts = { Agent: "none yet, needs ocr, de", Tenant: "library", Spent: spent };
  for (const [name, text] of Object.entries(facts))
    expect(screen.getByText(name).nextElementSibling).toHaveTextContent(text);
  expect(screen.getByText("Begins").nextElementSibling).toHaveTextContent(/\(in 1m/);
});

it("what is not set is no fact, and what nobody told of the cost is not free", async () => {
  await renderPage(<Head job={aJob()} />);
  for (const name of ["Spent", "Batch", "Tenant", "Priority", "Labels", "Begins"])
    expect(screen.queryByText(name)).not.toBeInTheDocument();
});

it("an agent has its name, and its id at hand", async () => {
  const id = "0199d5a8-0000-7000-8000-00000000000a";
  await renderPage(
    <AgentNames value={new Map([[id, "Harbour inspector"]])}>
      <Head job={aJob({ agent_id: id })} />
      <JobLogItem log={aLog({ kind: "assigned", message: `assigned to ${id}`, agent_id: id })} />
    </AgentNames>,
  );
  expect(screen.getByRole("link", { name: "Harbour inspector" })).toHaveAttribute("href", `/agents/${id}`);
  expect(screen.getAllByTitle(id)).toHaveLength(2);
  expect(screen.getByRole("listitem")).toHaveTextContent("assigned to Harbour inspector");
  expect(document.body).not.toHaveTextContent(id);
});

it("the head has one button, of the likely step, and says in its menu why the rest is impossible", async () => {
  const { user } = await renderPage(<Head job={aJob({ status: "COMPLETED" })} />);
  const names = () => screen.getAllByRole("button").map((each) => each.textContent || each.getAttribute("aria-label"));
  expect(names()).toEqual(["Duplicate with edits", "More for A poem", "Copy the id"]);
  await user.click(screen.getByRole("button", { name: "More for A poem" }));
  const edit = screen.getByRole("menuitem", { name: "Edit" });
  expect(edit).toHaveAttribute("aria-disabled", "true");
  expect(edit).toHaveAttribute("title", "A job that is completed cannot be edited; it can be duplicated.");
});

it("the menu leads to the job's trace, where the console knows where traces are shown", async () => {
  const open = vi.spyOn(window, "open").mockReturnValue(null);
  const meta = document.head.appendChild(Object.assign(document.createElement("meta"), { name: "traces" }));
  const { user } = await renderPage(<Head job={aJob({ id: "a b", execution_id: "execution-1" })} />);
  await user.click(screen.getByRole("button", { name: "More for A poem" }));
  await user.click(screen.getByRole("menuitem", { name: "Open the trace" }));
  expect(open).toHaveBeenCalledWith("/jobs/a%20b/trace", "_blank", "noopener");
  meta.remove();
  open.mockRestore();
});
