import { screen } from "@testing-library/react";
import { useState } from "react";
import { expect, it } from "vitest";
import { formatCriteria, newCriterion, toLines } from "@/jobs/form/model/criteria";
import { renderPage } from "@/testing/render";
import { json, onPost } from "@/testing/server";
import { CriteriaEditor } from "./CriteriaEditor";

it("criteria are lines, and say which are optional and which must never be", () => {
  const lines = toLines([
    { text: "It rhymes", required: true, kind: "meets" },
    { text: "it is long", required: false, kind: "never" },
    { text: "max_words 9", required: true, kind: "check" },
  ]);
  expect(lines).toMatchObject([
    { text: "It rhymes", isOptional: false, kind: "meets" },
    { text: "it is long", isOptional: true, kind: "never" },
    { text: "max_words 9", isOptional: false, kind: "check" },
  ]);
  expect(formatCriteria([...lines, newCriterion(" ")])).toBe(
    "It rhymes\noptional: never: it is long\ncheck: max_words 9",
  );
  expect(toLines([])).toMatchObject([{ text: "", isOptional: false, kind: "meets" }]);
  expect(formatCriteria(toLines([]))).toBe("");
});

function Criteria({ onText }: { onText: (text: string) => void }) {
  const [value, setValue] = useState(() => [newCriterion()]);
  onText(formatCriteria(value));
  return <CriteriaEditor value={value} onChange={setValue} />;
}

async function criteriaEditor() {
  let text = "";
  const { user } = await renderPage(
    <Criteria
      onText={(next) => {
        text = next;
      }}
    />,
  );
  const line = (place: number) => screen.getByRole("textbox", { name: `Criterion ${place}` });
  return { user, line, text: () => text };
}

it("criteria are added by Enter, and removed by Backspace and by a button", async () => {
  const { user, line, text } = await criteriaEditor();
  await user.type(line(1), "one{Enter}two{Enter}three{Enter}");
  expect(line(4)).toHaveFocus();
  await user.keyboard("{Backspace}");
  expect(line(3)).toHaveFocus();
  await user.click(screen.getByRole("button", { name: "Remove criterion 2" }));
  expect(text()).toBe("one\nthree");
});

it("criteria are moved by Alt and arrows and by buttons, and keep the focus", async () => {
  const { user, line, text } = await criteriaEditor();
  await user.type(line(1), "one{Enter}two{Enter}three");
  await user.keyboard("{Alt>}{ArrowUp}{ArrowUp}{ArrowUp}{/Alt}");
  expect(text()).toBe("three\none\ntwo");
  expect(line(1)).toHaveFocus();
  await user.click(screen.getByRole("button", { name: "Move criterion 1 down" }));
  expect(text()).toBe("one\nthree\ntwo");
  expect(screen.getByRole("button", { name: "Move criterion 3 down" })).toHaveAttribute("aria-disabled", "true");
});

it("a criterion is of a kind by its choice and by its word", async () => {
  const { user, line, text } = await criteriaEditor();
  await user.type(line(1), "optional: never: one");
  expect(screen.getByRole("combobox", { name: "Kind of criterion 1" })).toHaveValue("never");
  await user.type(line(1), "{Enter}");
  await user.paste("max_words 2\nNEVER: three\nCheck: url");
  await user.selectOptions(screen.getByRole("combobox", { name: "Kind of criterion 2" }), "check");
  await user.selectOptions(screen.getByRole("combobox", { name: "Kind of criterion 3" }), "shows");
  expect(text()).toBe("optional: never: one\ncheck: max_words 2\nthree\ncheck: url");
});

it("a criterion is made optional by its box and by its word; pasted lines are criteria each", async () => {
  const { user, line, text } = await criteriaEditor();
  await user.type(line(1), "optional: one");
  expect(screen.getByRole("checkbox", { name: "Criterion 1 is optional" })).toBeChecked();
  expect(line(1)).toHaveValue("one");
  await user.type(line(1), "{Enter}");
  await user.paste("two\n\noptional: three\n");
  await user.click(screen.getByRole("checkbox", { name: "Criterion 2 is optional" }));
  expect(text()).toBe("optional: one\noptional: two\noptional: three");
});

it("criteria are looked through, and a click puts a rewrite in the place of one, with its marks", async () => {
  const warning = { code: "criterion_better_as_check", message: "criterion 2 is better as a check", criterion: 1 };
  const asked = onPost("/api/criteria/lint", () =>
    json({ warnings: [{ ...warning, suggestion: "optional: check: min_words 2\noptional: check: max_words 9" }] }),
  );
  const { user, line, text } = await criteriaEditor();
  await user.click(line(1));
  await user.paste("It rhymes\n \noptional: It has 2 to 9 words");
  await user.type(line(1), "{Enter}");
  expect(await screen.findByText("criterion 2 is better as a check")).toBeVisible();
  expect(await asked[0]?.json()).toEqual({ acceptance_criteria: "It rhymes\noptional: It has 2 to 9 words" });
  await user.click(screen.getByRole("button", { name: "Use it" }));
  expect(text()).toBe("It rhymes\noptional: check: min_words 2\noptional: check: max_words 9");
  expect(line(4)).toHaveValue("max_words 9");
});
