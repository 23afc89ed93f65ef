import { useState } from "react";
import type { WaitingSum } from "@/api/types";
import { formatCount } from "@/lib/format";
import { ReasonLine } from "./WhyItWaits";
import { countWaiting } from "./waiting";

const SUMS_SHOWN = 3;

/** What many executions wait for, in one line: "Of 412 waiting, 390: limit tenant:press is reached". */
export function WaitingSums({ sums }: { sums: readonly WaitingSum[] }) {
  const [isWhole, setIsWhole] = useState(false);
  const left = isWhole ? 0 : sums.length - SUMS_SHOWN;
  if (sums.length === 0) return <p className="min-h-6 text-muted">Nothing waits.</p>;
  return (
    <p className="min-h-6 wrap-anywhere">
      Of {formatCount(countWaiting(sums))} waiting,{" "}
      {sums.slice(0, isWhole ? undefined : SUMS_SHOWN).map((sum, index) => (
        <span key={`${sum.code} ${sum.name}`}>
          {index > 0 && "; "}
          <b className="font-medium">{formatCount(sum.count)}</b>: <ReasonLine reason={sum} />
        </span>
      ))}
      {left > 0 && (
        <>
          ;{" "}
          <button type="button" className="text-accent underline" onClick={() => setIsWhole(true)}>
            {left === 1 ? "1 more reason" : `${left} more reasons`}
          </button>
        </>
      )}
    </p>
  );
}
