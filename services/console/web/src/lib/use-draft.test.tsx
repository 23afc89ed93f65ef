import { fireEvent, render, screen } from "@testing-library/react";
import { useLayoutEffect, useRef } from "react";
import { expect, it, vi } from "vitest";
import { useDraft } from "./use-draft";

/** A field in which Enter is pressed as soon as it is drawn with another `onCommit`. */
function Field({ onCommit }: { onCommit: (text: string) => void }) {
  const draft = useDraft({ value: "", onCommit, isWhole: () => true });
  const input = useRef<HTMLInputElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever it changes
  useLayoutEffect(() => {
    input.current?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  }, [onCommit]);
  return (
    <input
      ref={input}
      value={draft.text}
      onChange={(event) => draft.onChange(event.target.value)}
      onKeyDown={draft.onKeyDown}
    />
  );
}

it("commits by what is shown, not by what was shown before", () => {
  const [before, now] = [vi.fn(), vi.fn()];
  const { rerender } = render(<Field onCommit={before} />);
  fireEvent.change(screen.getByRole("textbox"), { target: { value: "tenant:press" } });
  rerender(<Field onCommit={now} />);
  expect(before).not.toHaveBeenCalled();
  expect(now).toHaveBeenCalledWith("tenant:press");
});
