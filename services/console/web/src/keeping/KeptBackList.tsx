import { Link, type LinkProps } from "@tanstack/react-router";
import { OctagonAlert } from "lucide-react";
import type { KeptBack } from "@/api/types";
import { buttonLook } from "@/ui/controls/button";
import { CopyButton } from "@/ui/controls/copy-button";

/** Where what keeps something back can be lifted, by its code. */
const PLACES: Record<string, { words: string; to: LinkProps["to"]; hash?: string }> = {
  job_held: { words: "See the holds", to: "/system/kept", hash: "holds" },
  hold_of_nothing: { words: "See the holds", to: "/system/kept", hash: "holds" },
  operation_live: { words: "See the batches", to: "/batches" },
  job_labelled: { words: "See the judges", to: "/quality/judges" },
};
/** The command with which a remedy ends. */
const COMMAND = /signoff [^:]*[^:.]/;

/** What keeps back the removal of what is due, each with what helps: a way to it, or a command. */
export function KeptBackList({ reasons }: { reasons: readonly KeptBack[] }) {
  return (
    <ul className="divide-y border-y">
      {reasons.map(({ code, message, remedy }) => {
        const place = PLACES[code];
        const [command] = COMMAND.exec(remedy) ?? [];
        return (
          <li key={code} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 py-2">
            <div className="min-w-0 grow basis-64">
              <p className="flex gap-2 wrap-anywhere">
                <OctagonAlert aria-hidden size={14} className="mt-0.5 shrink-0 text-resubmit" />
                <span className="first-letter:uppercase inline-block">
                  {message} <code className="font-mono text-xs text-muted">{code}</code>
                </span>
              </p>
              {remedy && <p className="pl-5.5 text-muted wrap-anywhere first-letter:uppercase">{remedy}</p>}
            </div>
            {place ? (
              <Link to={place.to} hash={place.hash} className={buttonLook({})}>
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
