import { screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { Actions } from "@/testing/Actions";
import { aJob, anAgent } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { items, on } from "@/testing/server";

it("says of each agent what keeps it from doing the job", async () => {
  on("get", "/api/agents", () =>
    items(
      anAgent({ capabilities: ["ocr"] }),
      anAgent({ id: "idle", name: "idle", paused: true, capabilities: ["ocr"] }),
      anAgent({ id: "ill", name: "ill", circuit: "OPEN", capabilities: ["ocr"] }),
      anAgent({ id: "off", name: "off", enabled: false, capabilities: ["ocr"] }),
      anAgent({ id: "poet", name: "שיר", capabilities: [] }),
    ),
  );
  const job = aJob({ status: "FAILED", capabilities: ["ocr"] });
  const { user } = await renderPage(<Actions job={job} />);
  await user.click(screen.getByRole("button", { name: "More for A poem" }));
  await user.click(screen.getByRole("menuitem", { name: "Assign" }));
  const dialog = screen.getByRole("alertdialog");
  expect(dialog).toHaveTextContent("It is taken from writer.");
  await within(dialog).findByRole("option", { name: "writer, has it now" });
  const names = within(dialog)
    .getAllByRole("option")
    .map((each) => each.textContent);
  expect(names.slice(2)).toEqual([
    "idle, paused",
    "ill, circuit open",
    "off, disabled",
    "\u2068שיר\u2069 (poet), lacks ocr",
  ]);
  await user.selectOptions(within(dialog).getByLabelText("Agent"), "idle");
  expect(within(dialog).getByLabelText("Agent")).toHaveAccessibleDescription(/waits until it is resumed/);
});
