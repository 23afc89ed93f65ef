import { Hourglass } from "lucide-react";
import { useAgentNames } from "@/api/agents";
import type { Waiting, WaitReason } from "@/api/types";
import { describeCause, describeEnd, describeOwner } from "@/jobs/model/waiting";
import { formatCount } from "@/lib/format";
import { RemedyButton } from "@/limits/RemedyButton";
import { findRemedy } from "@/limits/remedies";
import { CopyButton } from "@/ui/controls/copy-button";
import { Countdown } from "@/ui/display/duration";
import { ExactTime, Time } from "@/ui/display/time";

/** The place from which on the jobstore counts no further. */
const PLACE_MAX = 10_001;

type WhyItWaitsProps = {
  waiting: Waiting;
  /** The first thing first; not empty. */
  reasons: readonly WaitReason[];
};

/** All that holds a job back: since when, until when, whose move it is, and what lifts it. */
export function WhyItWaits({ waiting: { place }, reasons: [first, ...others] }: WhyItWaitsProps) {
  if (!first) return null;
  return (
    <section aria-label="Why it waits" className="space-y-2 rounded border bg-sunken p-3">
      <Reason reason={first} isFirst />
      {others.length > 0 && (
        <details>
          <summary className="min-h-6 pointer-coarse:min-h-11">
            {others.length === 1 ? "1 more reason" : `${others.length} more reasons`}
          </summary>
          <div className="space-y-3 pt-1">
            {others.map((reason) => (
              <Reason key={`${reason.code} ${reason.name}`} reason={reason} />
            ))}
          </div>
        </details>
      )}
      {place != null && (
        <p className="text-xs text-muted">
          Its place in the queue: {place >= PLACE_MAX ? `after ${formatCount(PLACE_MAX - 1)}` : formatCount(place)}.
        </p>
      )}
    </section>
  );
}

type ReasonProps = { reason: WaitReason; isFirst?: boolean };

function Reason({ reason, isFirst = false }: ReasonProps) {
  const { nameOf } = useAgentNames();
  const { code, since, until, owner } = reason;
  const remedy = findRemedy(reason);
  const Title = isFirst ? "h2" : "p";
  return (
    <div className="space-y-1">
      <Title className={isFirst ? "flex gap-2 text-lg font-semibold" : "font-medium"}>
        {isFirst && <Hourglass aria-hidden size={18} className="mt-1 shrink-0 text-muted" />}
        <span className="min-w-0 wrap-anywhere">
          <bdi className="inline-block first-letter:uppercase">{describeCause(reason, nameOf)}</bdi>
          {until && (
            <>
              {describeEnd(code)}
              <Countdown to={until} />
            </>
          )}
        </span>
      </Title>
      <p className="flex flex-wrap gap-x-3 text-xs text-muted">
        <span>{describeOwner(owner)}.</span>
        {since && <Time at={since} before="since " />}
        {until && (
          <span>
            until <ExactTime at={until} />
          </span>
        )}
      </p>
      {remedy ? <RemedyButton remedy={remedy} /> : <Advice text={reason.remedy} />}
    </div>
  );
}

/** What to do where no button does it; a command in it can be copied. */
function Advice({ text }: { text: string }) {
  const at = text.search(/\bsignoff \w/);
  const [words, command] = at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at)];
  const [line = "", ...said] = command.split(/(?= says )/);
  return (
    <p className="wrap-anywhere first-letter:uppercase">
      {words}
      {line && (
        <span className="inline-flex max-w-full items-center gap-1">
          <code className="rounded bg-surface px-1 font-mono text-xs">{line}</code>
          <CopyButton text={line} label="Copy the command" className="size-6" />
        </span>
      )}
      {said.join("")}
    </p>
  );
}
