import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { formatCount, pluralize } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { DisagreementContent } from "./DisagreementContent";
import type { Disagreement, Report } from "./report";

const SHOWN_AT_FIRST = 20;

/** The cases on which a policy differs from the labels, each with what was said, the evidence and the result. */
export function Disagreements({ total, items }: Report["disagreements"]) {
  const [isAll, showAll] = useState(false);
  const shown = isAll ? items : items.slice(0, SHOWN_AT_FIRST);
  return (
    <section aria-label="Disagreements" className="space-y-2">
      <h2 className="text-lg font-semibold">{pluralize(total, "disagreement")} to read</h2>
      {total === 0 && <p className="text-muted">Each policy says of every case what its label says.</p>}
      <ul className="divide-y border-y">
        {shown.map((item) => (
          <Item key={item.id} item={item} />
        ))}
      </ul>
      {shown.length < items.length && (
        <Button size="small" onClick={() => showAll(true)}>
          Show all {formatCount(items.length)}
        </Button>
      )}
    </section>
  );
}

function Item({ item }: { item: Disagreement }) {
  const [isOpen, open] = useState(false);
  return (
    <li>
      <details className="group" onToggle={(event) => open(event.currentTarget.open)}>
        <summary className="flex min-h-10 cursor-pointer flex-wrap items-center gap-x-4 gap-y-1 py-1.5">
          <span className="min-w-0 font-medium wrap-anywhere">
            <ChevronRight aria-hidden size={14} className="mr-1 inline group-open:rotate-90" />
            <bdi>{item.title || item.id}</bdi>
          </span>
          <span>labelled {item.label == null ? "by criterion alone" : item.label ? "good" : "bad"}</span>
          {Object.entries(item.judged).map(([policy, { error, accepted }]) => (
            <span key={policy} className="text-muted wrap-anywhere">
              <bdi>{policy}</bdi>: {error ? `not judged (${error})` : accepted ? "accepted" : "not accepted"}
            </span>
          ))}
        </summary>
        {isOpen && <DisagreementContent item={item} />}
      </details>
    </li>
  );
}
