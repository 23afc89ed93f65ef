import { type ComponentProps, useState } from "react";
import { chooseView, type Shown } from "@/results/model/choose-view";
import type { Focus } from "@/results/model/evidence";
import { ResultPreview } from "@/results/ResultPreview";

/** Preview of a result whose view nobody else holds, as the address of a job's page does. */
export function Preview(props: Omit<ComponentProps<typeof ResultPreview>, "view" | "onView">) {
  const { value, quotes = [], focus = null } = props;
  const [view, setView] = useState<Shown>();
  const [seenFocus, setSeenFocus] = useState<Focus | null>(null);
  if (focus !== seenFocus) {
    setSeenFocus(focus);
    const quote = quotes.find(({ id }) => id === focus?.id);
    if (quote) setView(chooseView(value, quote, view));
  }
  return <ResultPreview {...props} view={view} onView={setView} />;
}
