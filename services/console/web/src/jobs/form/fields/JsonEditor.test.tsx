import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import JsonEditor from "./JsonEditor";

it("keeps what was typed while an older value is rendered again, and takes a new value", async () => {
  const user = userEvent.setup();
  const onChange = vi.fn();
  const { rerender } = render(<JsonEditor label="Payload" value="1" onChange={onChange} />);
  const box = screen.getByRole("textbox", { name: "Payload" });
  await user.click(box);
  await user.keyboard("2");
  const typed = onChange.mock.lastCall?.[0] as string;
  expect(typed).toHaveLength(2);
  rerender(<JsonEditor label="Payload" value="1" onChange={onChange} />); // as when something else is rendered first
  expect(box).toHaveTextContent(typed);
  rerender(<JsonEditor label="Payload" value={typed} onChange={onChange} />);
  expect(box).toHaveTextContent(typed);
  rerender(<JsonEditor label="Payload" value="3" onChange={onChange} />);
  expect(box).toHaveTextContent("3");
});
