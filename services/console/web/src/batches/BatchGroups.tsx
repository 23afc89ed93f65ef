import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useAgentNames } from "@/api/agents";
import { useRefusal } from "@/api/me";
import { ProblemState } from "@/api/ProblemState";
import type { InboxGroup, Operation } from "@/api/types";
import { formatCode } from "@/jobs/model/logs";
import { formatCount } from "@/lib/format";
import { useKeptState } from "@/lib/kept";
import { loadPart } from "@/lib/load-part";
import { Button } from "@/ui/controls/button";
import { Skeleton } from "@/ui/display/states";
import { Time } from "@/ui/display/time";
import { type InboxOperation, nameOperation } from "./batch-state";
import { toAddress } from "./filter";

import { groupsQuery } from "./queries";

/** Read when it is first opened. */
const GroupDialog = lazy(() => loadPart(() => import("./GroupDialog")));

/** What of a batch failed or was not accepted and stands so now, by what it needs, each with what does it for all. */
export function BatchGroups({ batch }: { batch: Operation }) {
  const query = useQuery(groupsQuery(batch));
  const groups = query.data ?? [];
  // The dialog is not the group's own: a group goes as soon as the operation is made, and the dialog leads on to that.
  const [asked, ask] = useKeptState<InboxOperation | null>("operation", null);
  return (
    <>
      <ProblemState error={query.error} />
      {query.isPending && <Skeleton className="h-20" />}
      {query.data && groups.length === 0 && (
        <p className="text-muted">Each of these jobs has moved on since: none stands so now.</p>
      )}
      {groups.length > 0 && (
        <ul aria-label="By what they need" className="divide-y rounded border bg-surface">
          {groups.map((group) => (
            <Group key={group.id} group={group} onAsk={ask} />
          ))}
        </ul>
      )}
      {asked && (
        <Suspense fallback={null}>
          <GroupDialog operation={asked} onClose={() => ask(null)} />
        </Suspense>
      )}
    </>
  );
}

const formatGroupCount = ({ count, has_more: hasMore }: InboxGroup) => `${formatCount(count)}${hasMore ? "+" : ""}`;

type GroupProps = { group: InboxGroup; onAsk: (operation: InboxOperation) => void };

function Group({ group, onAsk }: GroupProps) {
  const refuse = useRefusal();
  const { nameOf, nameAllIn } = useAgentNames();
  const {
    code,
    criterion,
    agent_id: agent,
    newest_job_id: newest,
    newest_at: at,
    message,
    filter,
    remedy,
    operation,
  } = group;
  const isRefused = group.kind === "not_accepted";
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 p-3">
      <div className="min-w-0 grow basis-96 space-y-0.5">
        <p className="font-medium wrap-anywhere">
          {formatGroupCount(group)} {isRefused ? "not accepted" : "failed"}
          {criterion && (
            <>
              : <bdi>{criterion}</bdi>
            </>
          )}
          {!isRefused && agent && (
            <>
              {" with "}
              <Link to="/agents/$id" params={{ id: agent }} className="hover:underline">
                <bdi>{nameOf(agent)}</bdi>
              </Link>
            </>
          )}
          {!isRefused && code && (
            <>
              {": "}
              <code className="font-mono text-xs text-failed">{formatCode({ code })}</code>
            </>
          )}
        </p>
        {newest && (
          <p className="line-clamp-3 text-muted wrap-anywhere">
            <Link
              to="/jobs/$id"
              params={{ id: newest }}
              className="text-accent underline pointer-coarse:inline-flex pointer-coarse:min-h-6"
            >
              newest
            </Link>
            {at && <Time at={at} before=" " />}
            {message && (
              <>
                {": "}
                <bdi className="text-text">{nameAllIn(message)}</bdi>
              </>
            )}
          </p>
        )}
        <p className="text-muted wrap-anywhere first-letter:uppercase">{nameAllIn(remedy)}</p>
      </div>
      <div role="group" aria-label="Actions" className="flex flex-wrap items-center gap-3">
        {operation && (
          <Button reason={refuse("preview_operation") ?? refuse("create_operation")} onClick={() => onAsk(operation)}>
            {nameOperation(operation)} {formatGroupCount(group)}
          </Button>
        )}
        {filter && (
          <Link
            to="/jobs"
            search={toAddress(filter)}
            className="inline-flex min-h-8 items-center text-accent underline"
          >
            Open as list <span className="sr-only">of {formatGroupCount(group)} jobs</span>
          </Link>
        )}
      </div>
    </li>
  );
}
