import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { AgentNames } from "./agents";
import { ProblemState } from "./ProblemState";
import { ApiError } from "./problem";

it("names the agent of a refusal, whose id the server's words have", () => {
  const id = "0199d5a8-0000-7000-8000-00000000000a";
  render(
    <AgentNames value={new Map([[id, "Harbour inspector"]])}>
      <ProblemState error={new ApiError({ status: 409, detail: `the agent ${id} is disabled` })} />
    </AgentNames>,
  );
  expect(screen.getByRole("alert")).toHaveTextContent("the agent Harbour inspector is disabled");
});
