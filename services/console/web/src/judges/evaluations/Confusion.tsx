import { CircleCheck, CircleX } from "lucide-react";
import { cn } from "@/lib/cn";
import { formatCount } from "@/lib/format";
import type { PolicyReport } from "./report";

/** Confusion matrix: what was said of results, against what people say of them. */
export function Confusion({ measure }: { measure: PolicyReport["overall"] }) {
  return (
    <table className="border-collapse text-left">
      <caption className="sr-only">How good and bad results were judged</caption>
      <thead>
        <tr className="h-8 text-muted">
          <td />
          <th scope="col" className="px-3 font-medium">
            Accepted
          </th>
          <th scope="col" className="px-3 font-medium">
            Not accepted
          </th>
        </tr>
      </thead>
      <tbody>
        <tr>
          <RowName name="Labelled good" />
          <Cell isRight number={measure.true_accepts} name="true accepts" />
          <Cell number={measure.false_rejects} name="false rejects" />
        </tr>
        <tr>
          <RowName name="Labelled bad" />
          <Cell number={measure.false_accepts} name="false accepts" />
          <Cell isRight number={measure.true_rejects} name="true rejects" />
        </tr>
      </tbody>
    </table>
  );
}

const RowName = ({ name }: { name: string }) => (
  <th scope="row" className="pr-3 font-medium text-muted">
    {name}
  </th>
);

type CellProps = { number: number; name: string; isRight?: boolean };

function Cell({ number, name, isRight = false }: CellProps) {
  const Icon = isRight ? CircleCheck : CircleX;
  const isNone = number === 0;
  const look = isRight ? "bg-completed-tint text-completed" : "bg-failed-tint text-failed";
  return (
    <td className={cn("border p-3", isNone ? "text-muted" : look)}>
      <span className="text-base font-semibold">{formatCount(number)}</span>
      <span className="flex items-center gap-1 text-xs whitespace-nowrap">
        <Icon aria-hidden size={14} /> {name}
      </span>
    </td>
  );
}
