import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useAgentNames } from "@/api/agents";
import { ProblemState } from "@/api/ProblemState";
import type { Job, Operation, OperationItem } from "@/api/types";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { formatCode, formatReason } from "@/jobs/model/logs";
import { STATUS_LOOKS } from "@/jobs/model/status";
import { pluralize, shortenId } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { Skeleton } from "@/ui/display/states";
import { countItems, endedJobsQuery, itemsQuery, NOT_MET, type Outcomes, SHOWN_AT_FIRST } from "./queries";

const SHOWN_MAX = 500;

type BatchItemsProps = {
  batch: Operation;
  outcomes: Outcomes;
  name: string;
  title: string;
  hint?: string;
  /** What is said where there are none; without it, nothing is shown then. */
  none?: string;
  /** What is shown above them. */
  children?: ReactNode;
};

/** The jobs of a batch that ended in some way, each with what became of it then, whatever was done to it since. */
export function BatchItems({ batch, outcomes, name, title, hint, none, children }: BatchItemsProps) {
  const [limit, setLimit] = useState(SHOWN_AT_FIRST);
  const number = countItems(batch, outcomes);
  const items = useQuery({ ...itemsQuery(batch, outcomes, limit), enabled: number > 0 });
  const ended = useQuery({ ...endedJobsQuery(batch, outcomes), enabled: number > 0 && outcomes === NOT_MET }).data;
  const shown = items.data?.items ?? [];
  if (number === 0 && none === undefined) return null;
  return (
    <section aria-label={name} className="space-y-2">
      <h2 className="text-lg font-semibold">{title}</h2>
      {hint && <p className="text-muted">{hint}</p>}
      {children}
      <ProblemState error={items.error} />
      {number === 0 && <p className="text-muted">{none}</p>}
      {items.isLoading && <Skeleton className="h-20" />}
      {items.data && shown.length === 0 && number > 0 && (
        <p className="text-muted">{pluralize(number, "job")}, being read.</p>
      )}
      {shown.length > 0 && (
        <ul className="divide-y border-y">
          {shown.map((item) => (
            <Item key={item.item} item={item} job={ended?.items.find(({ id }) => id === item.job_id)} />
          ))}
        </ul>
      )}
      {number > shown.length && shown.length > 0 && limit < SHOWN_MAX && (
        <Button size="small" onClick={() => setLimit(SHOWN_MAX)}>
          Show {number > SHOWN_MAX ? `the first ${SHOWN_MAX} of ` : "all "}
          {pluralize(number, "job")}
        </Button>
      )}
    </section>
  );
}

/** Item of a batch; `job` as it stands now tells why it ended so, unless it has moved on since. */
function Item({ item, job }: { item: OperationItem; job?: Job }) {
  const { nameAllIn } = useAgentNames();
  const { job_id: id, title, outcome, retried_by: retriedBy } = item;
  const { code, message } = item.code || job?.status !== outcome ? item : (job?.last_log ?? item);
  return (
    <li className="flex min-h-10 flex-wrap items-center gap-x-3 gap-y-1 py-1.5">
      {outcome in STATUS_LOOKS && <JobStatusBadge status={outcome} />}
      <Link to="/jobs/$id" params={{ id }} title={id} className="min-w-0 truncate font-medium hover:underline">
        <bdi>{title || shortenId(id)}</bdi>
      </Link>
      {code && <code className="font-mono text-xs text-failed">{formatCode({ code, message })}</code>}
      {message && (
        <bdi title={message} className="min-w-0 truncate text-muted">
          {nameAllIn(formatReason({ code, message }))}
        </bdi>
      )}
      {retriedBy && (
        <Link to="/batches/$id" params={{ id: retriedBy }} title={retriedBy} className="text-accent underline">
          Executed again by {shortenId(retriedBy)}
        </Link>
      )}
    </li>
  );
}
