import { Link, type LinkProps } from "@tanstack/react-router";
import { OctagonAlert } from "lucide-react";
import type { KeptBack } from "@/api/types";
import { formatCount } from "@/lib/format";
import { buttonLook } from "@/ui/controls/button";
import { CopyButton } from "@/ui/controls/copy-button";

/** Where what keeps something back can be lifted, by its code. */
const PLACES: Record<string, { words: string; to: LinkProps["to"] }> = {
  operation_live: { words: "See the batches", to: "/batches" },
  job_labelled: { words: "See the judges", to: "/quality/judges" },
};
/** A command within a remedy. */
const COMMAND = /signoff [a-z-]+(?: [\w:*-]+)*/;

/** What keeps back the removal of what is due, each with what helps: a way to it, or a command. */
export function KeptBackList({ reasons }: { reasons: readonly KeptBack[] }) {
  return (
    <ul className="divide-y border-y">
      {reasons.map(({ code, count, message, remedy }) => {
        const place = PLACES[code];
        const [command] = COMMAND.exec(remedy) ?? [];
        return (
          <li key={code} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 py-2">
            <div className="min-w-0 grow basis-64">
              <p className="flex gap-2 wrap-anywhere">
                <OctagonAlert aria-hidden size={14} className="mt-0.5 shrink-0 text-resubmit" />
                <span>
                  {message} <code className="font-mono text-xs text-muted">{code}</code>
                  {count > 0 && <span className="text-muted"> · {formatCount(count)}</span>}
                </span>
              </p>
              {remedy && <p className="pl-5.5 text-muted wrap-anywhere">{remedy}</p>}
            </div>
            {place ? (
              <Link to={place.to} className={buttonLook({})}>
                {place.words}
              </Link>
            ) : (
              command && <CopyButton text={command} label={`Copy the command ${command}`} />
            )}
          </li>
        );
      })}
    </ul>
  );
}
