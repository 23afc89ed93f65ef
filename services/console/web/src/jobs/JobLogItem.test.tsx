import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import type { JobLogStatus } from "@/api/types";
import { aLog, aVerdict } from "@/testing/factories";
import { JobLogItem } from "./JobLogItem";
import { LOOKS } from "./status";

it.each(Object.keys(LOOKS) as JobLogStatus[])("a log of %s is told in words", (status) => {
  render(<JobLogItem log={aLog({ status, message: "what happened" })} />);
  expect(screen.getByRole("listitem")).toHaveTextContent(LOOKS[status].word);
  expect(screen.getByRole("listitem")).toHaveTextContent("what happened");
});

it("tells agent, attempt, code and how long after the one before", () => {
  const log = aLog({ version: 4, attempt: 2, code: "agent_timeout" });
  render(<JobLogItem log={log} before={aLog({ version: 1 })} />);
  const item = screen.getByRole("listitem");
  for (const text of ["writer", "attempt 2", "agent_timeout", "after 3.0 s"]) expect(item).toHaveTextContent(text);
  expect(item.querySelector("time")).toHaveAttribute("datetime", log.created_at);
});

it("shows what was asked on demand alone", async () => {
  render(<JobLogItem log={aLog({ request_payload: { topic: "June" } })} />);
  const button = screen.getByRole("button", { name: "Request" });
  expect(screen.queryByText(/June/)).not.toBeInTheDocument();
  await userEvent.click(button);
  expect(button).toHaveAttribute("aria-expanded", "true");
  expect(await screen.findByText(/June/)).toBeVisible();
});

it("shows a result, and the verdict on it in short", () => {
  const log = aLog({ status: "REJECTED", response_payload: { result: "a poem", verdict: aVerdict() } });
  render(<JobLogItem log={log} />);
  expect(screen.getByRole("button", { name: "Result" })).toBeInTheDocument();
  expect(screen.getByRole("listitem")).toHaveTextContent("verdict: not accepted, 1 of 2 met");
});

it("calls what is no result a response", () => {
  render(<JobLogItem log={aLog({ response_payload: { progress: 0.5 } })} />);
  expect(screen.getByRole("button", { name: "Response" })).toBeInTheDocument();
});

it("has nothing to open where nothing was said", () => {
  render(<JobLogItem log={aLog({ response_payload: null })} />);
  expect(screen.queryByRole("button")).not.toBeInTheDocument();
});
