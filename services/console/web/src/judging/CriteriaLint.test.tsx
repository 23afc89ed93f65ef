import { screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { expect, it } from "vitest";
import { renderPage } from "@/testing/render";
import { json, onPost, problem } from "@/testing/server";
import { CriteriaLint, replaceCriterion } from "./CriteriaLint";

function Form() {
  const [text, setText] = useState("It rhymes\nIt is good");
  return (
    <>
      <textarea aria-label="Criteria" value={text} onChange={(event) => setText(event.target.value)} />
      <CriteriaLint text={text} onReplace={(place, by) => setText(replaceCriterion(text, place, by))} />
    </>
  );
}

const VAGUE = { code: "criterion_vague", criterion: 1, message: "criterion 2 is vague" };

it("offers what could stand in the place of a criterion, and puts it there", async () => {
  onPost("/api/criteria/lint", () => json({ warnings: [{ ...VAGUE, suggestion: "It has four lines\nIt rhymes" }] }));
  const { user } = await renderPage(<Form />);
  expect(await screen.findByText("criterion 2 is vague")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Use it" }));
  expect(screen.getByLabelText("Criteria")).toHaveValue("It rhymes\nIt has four lines\nIt rhymes");
});

it("puts nothing where another text stands by now, and looks at that after a pause", async () => {
  const asked = onPost("/api/criteria/lint", () => json({ warnings: [{ ...VAGUE, suggestion: "It is short" }] }));
  const { user } = await renderPage(<Form />);
  await screen.findByText("criterion 2 is vague");
  await user.type(screen.getByLabelText("Criteria"), "!!");
  expect(screen.getByRole("button", { name: "Use it" })).toHaveAttribute("aria-disabled", "true");
  await waitFor(() => expect(asked).toHaveLength(2));
  expect(await asked[1]?.json()).toEqual({ acceptance_criteria: "It rhymes\nIt is good!!" });
});

it("says where nothing is to be remarked, and is not there without a criterion", async () => {
  onPost("/api/criteria/lint", () => json({ warnings: [] }));
  const { user } = await renderPage(<Form />);
  expect(await screen.findByText("Nothing to remark.")).toBeVisible();
  await user.clear(screen.getByLabelText("Criteria"));
  await waitFor(() => expect(screen.queryByRole("status")).not.toBeInTheDocument());
});

it("says of which criteria no section of a long result decides, as no fault", async () => {
  const note = { code: "criterion_about_the_whole", criterion: 0, message: "criterion 1 is about the whole" };
  onPost("/api/criteria/lint", () => json({ warnings: [], notes: [note] }));
  await renderPage(<Form />);
  expect(await screen.findByText("criterion 1 is about the whole")).toBeVisible();
  expect(screen.getByText("Nothing to remark.")).toBeVisible();
});

it("says why criteria cannot be had", async () => {
  const wrong = [{ pointer: "#/acceptance_criteria", message: "criterion 2: no such check" }];
  onPost("/api/criteria/lint", () => problem(422, "invalid_request", "no", wrong));
  await renderPage(<Form />);
  expect(await screen.findByText("criterion 2: no such check")).toBeVisible();
});

it("counts criteria as the service does: without empty lines", () => {
  expect(replaceCriterion("a\n\n b\n", 1, "c")).toBe("a\n\nc\n");
  expect(replaceCriterion("a", 3, "c")).toBe("a");
});
