import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { AgentNames } from "@/api/agents";
import { JobLogItem } from "@/jobs/detail/history/JobLogItem";
import { aJob, aLog } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { JobFacts } from "./JobFacts";

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
  await renderPage(<JobFacts job={job} />);
  const spent = "$0.25 of $2.00, 1,200 of 5,000 tokens, as claimed by agents and judges";
  const facts = { Agent: "none yet, needs ocr, de", Tenant: "library", Spent: spent };
  for (const [name, text] of Object.entries(facts))
    expect(screen.getByText(name).nextElementSibling).toHaveTextContent(text);
  expect(screen.getByText(/^begins at/)).toHaveTextContent(/\(in 1m/);
});

it("what nobody told of the cost is not free", async () => {
  await renderPage(<JobFacts job={aJob()} />);
  expect(screen.getByText("Spent").nextElementSibling).toHaveTextContent("not known");
});

it("an agent has its name, and its id at hand", async () => {
  const id = "0199d5a8-0000-7000-8000-00000000000a";
  await renderPage(
    <AgentNames value={new Map([[id, "Harbour inspector"]])}>
      <JobFacts job={aJob({ agent_id: id })} />
      <JobLogItem log={aLog({ kind: "assigned", message: `assigned to ${id}`, agent_id: id })} />
    </AgentNames>,
  );
  expect(screen.getByRole("link", { name: "Harbour inspector" })).toHaveAttribute("href", `/jobs?agent=${id}`);
  expect(screen.getAllByTitle(id)).toHaveLength(2);
  expect(screen.getByRole("listitem")).toHaveTextContent("assigned to Harbour inspector");
  expect(document.body).not.toHaveTextContent(id);
});
