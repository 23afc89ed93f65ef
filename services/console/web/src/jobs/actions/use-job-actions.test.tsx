import { useQuery } from "@tanstack/react-query";
import { screen, waitFor, within } from "@testing-library/react";
import type { UserEvent } from "@testing-library/user-event";
import { expect, it } from "vitest";
import type { JobStatus } from "@/api/types";
import { jobQuery } from "@/jobs/model/queries";
import { Actions } from "@/testing/Actions";
import { aJob, anExecution } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, onPost, problem, serveJob } from "@/testing/server";

const ALLOWED: Record<JobStatus, string[]> = {
  PENDING: ["Cancel", "Assign"],
  ASSIGNED: ["Execute", "Cancel", "Assign"],
  IN_PROGRESS: ["Cancel"],
  COMPLETED: [],
  FAILED: ["Execute", "Assign"],
  REJECTED: ["Assign"],
  RESUBMISSION_REQUIRED: ["Resubmit", "Assign"],
};

const button = (name: string) => screen.getByRole("button", { name });

/** Open the menu and return its entry. */
async function entry(user: UserEvent, name: string): Promise<HTMLElement> {
  await user.click(button("More for A poem"));
  return screen.getByRole("menuitem", { name });
}

it.each(Object.entries(ALLOWED))("a job that is %s can be treated so: %s", async (status, allowed) => {
  const { user } = await renderPage(<Actions job={aJob({ status: status as JobStatus })} />);
  const likely = allowed.find((name) => name !== "Cancel") ?? allowed[0];
  if (likely) expect(button(likely)).toBeVisible();
  await user.click(button("More for A poem"));
  const entries = screen.getAllByRole("menuitem");
  expect(entries.map((each) => each.textContent)).toEqual(["Execute", "Cancel", "Resubmit", "Assign"]);
  const enabled = entries.filter((each) => each.getAttribute("aria-disabled") !== "true");
  expect(enabled.map((each) => each.textContent)).toEqual(allowed);
});

it("says why something cannot be done, and does not do it", async () => {
  const { user } = await renderPage(<Actions job={aJob({ status: "PENDING" })} />);
  const execute = await entry(user, "Execute");
  expect(execute).toHaveAttribute("title", "It needs an agent first: assign one.");
  await user.click(execute);
  expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
});

it("a job that says what an agent must be able to do can be executed without one", async () => {
  const job = aJob({ status: "PENDING", agent_id: undefined, capabilities: ["ocr"] });
  const { user } = await renderPage(<Actions job={job} />);
  await user.click(button("Execute"));
  expect(screen.getByRole("alertdialog")).toHaveTextContent("An agent that has ocr is found");
});

it("does not ask twice for an execution that is asked for already", async () => {
  const { user } = await renderPage(<Actions job={aJob({ status: "ASSIGNED", live: true })} />);
  expect(button("Cancel")).toBeVisible();
  expect(await entry(user, "Execute")).toHaveAttribute("aria-disabled", "true");
});

it.each(["PENDING", "ASSIGNED"] as const)(
  "a job that is %s, with nothing asked for, has nothing to cancel",
  async (status) => {
    const { user } = await renderPage(<Actions job={aJob({ status, live: false })} />);
    const cancel = await entry(user, "Cancel");
    expect(cancel).toHaveAttribute("title", "There is no execution that could be cancelled.");
    await user.click(cancel);
    expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
  },
);

it("executes once it is confirmed", async () => {
  const asked = onPost("/api/jobs/poem/execute", () => json(anExecution(), 201));
  serveJob(aJob({ version: 2 }));
  const { user } = await renderPage(<Actions job={aJob()} />);
  await user.click(button("Execute"));
  const dialog = screen.getByRole("alertdialog", { name: "Execute this job?" });
  expect(dialog).toHaveTextContent("goes to writer");
  expect(asked).toHaveLength(0);
  await user.click(within(dialog).getByRole("button", { name: "Execute" }));
  await waitFor(() => expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument());
  expect(asked).toHaveLength(1);
});

it("does nothing when whoever asked goes back", async () => {
  const asked = onPost("/api/jobs/poem/execute", () => json(anExecution(), 201));
  const { user } = await renderPage(<Actions job={aJob()} />);
  await user.click(button("Execute"));
  await user.click(button("Back"));
  expect(button("Execute")).toHaveFocus();
  expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
  expect(asked).toHaveLength(0);
});

it("cancels with a reason", async () => {
  const asked = onPost("/api/jobs/poem/cancel", () => json(aJob({ version: 2 })));
  const { user } = await renderPage(<Actions job={aJob({ status: "IN_PROGRESS" })} />);
  await user.click(button("Cancel"));
  const dialog = screen.getByRole("alertdialog");
  expect(dialog).toHaveTextContent("Submission 1 with writer is under way. The call is given up");
  await user.type(within(dialog).getByLabelText("Reason"), "too late");
  await user.click(within(dialog).getByRole("button", { name: "Cancel" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ reason: "too late" });
});

it("cancels the execution that it shows, and never the next", async () => {
  const asked = onPost("/api/jobs/poem/cancel", () => json(aJob({ version: 3 })));
  const job = aJob({ status: "IN_PROGRESS", live: true, execution_id: "0199d5a8-0000-7000-8000-000000000001" });
  const { user } = await renderPage(<Actions job={job} />);
  await user.click(button("Cancel"));
  await user.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "Cancel" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ execution_id: "0199d5a8-0000-7000-8000-000000000001" });
});

it("resubmits with a comment, and says which submission comes", async () => {
  const asked = onPost("/api/jobs/poem/resubmit", () => json(anExecution(), 201));
  serveJob(aJob({ version: 2 }));
  const { user } = await renderPage(<Actions job={aJob({ status: "RESUBMISSION_REQUIRED", submission: 2 })} />);
  await user.click(button("Resubmit"));
  const dialog = screen.getByRole("alertdialog");
  expect(dialog).toHaveTextContent("gets submission 3, with the verdict on submission 2");
  await user.type(within(dialog).getByLabelText("Comment for the agent"), "shorter");
  await user.click(within(dialog).getByRole("button", { name: "Resubmit" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ comment: "shorter" });
});

it("assigns the agent that is chosen", async () => {
  const asked = onPost("/api/jobs/poem/assign", () => json(aJob({ version: 2, agent_id: "ocr" })));
  const { user } = await renderPage(<Actions job={aJob({ status: "PENDING", agent_id: undefined })} />);
  await user.click(button("Assign"));
  const dialog = screen.getByRole("alertdialog");
  expect(within(dialog).getByRole("button", { name: "Assign" })).toHaveAttribute("aria-disabled", "true");
  await within(dialog).findByRole("option", { name: "ocr" });
  await user.selectOptions(within(dialog).getByLabelText("Agent"), "ocr");
  await user.click(within(dialog).getByRole("button", { name: "Assign" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ agent_id: "ocr" });
});

it("shows the server's own words where it refused, and keeps what was typed", async () => {
  onPost("/api/jobs/poem/cancel", () =>
    problem(409, "illegal_transition", "the job is COMPLETED and cannot be cancelled"),
  );
  const { user } = await renderPage(<Actions job={aJob()} />);
  await user.click(await entry(user, "Cancel"));
  await user.type(screen.getByLabelText("Reason"), "no need");
  await user.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "Cancel" }));
  const alert = await screen.findByRole("alert");
  expect(alert).toHaveTextContent("the job is COMPLETED and cannot be cancelled");
  expect(alert).toHaveTextContent("illegal_transition");
  expect(alert).toHaveTextContent("request r-1");
  expect(screen.getByLabelText("Reason")).toHaveValue("no need");
});

it("a job that has moved on meanwhile says what it is now", async () => {
  onPost("/api/jobs/poem/execute", () => problem(409, "illegal_transition", "the job is COMPLETED and cannot execute"));
  serveJob(aJob({ status: "COMPLETED", version: 5 }));
  const { user } = await renderPage(<OfQuery />);
  await user.click(await screen.findByRole("button", { name: "Execute" }));
  await user.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "Execute" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("cannot execute");
  const now = await within(screen.getByRole("alertdialog")).findByText(/^It has moved on meanwhile/);
  expect(now).toHaveTextContent("Completed A job that is completed cannot be executed.");
  expect(within(screen.getByRole("alertdialog")).getByRole("button", { name: "Execute" })).toHaveAttribute(
    "aria-disabled",
    "true",
  );
});

function OfQuery() {
  const { data } = useQuery({ ...jobQuery("poem"), initialData: aJob() });
  return <Actions job={data} />;
}
