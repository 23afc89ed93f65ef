import { Link, useNavigate } from "@tanstack/react-router";
import { CirclePause, CircleSlash, type LucideIcon, Play, RotateCcw } from "lucide-react";
import { useState } from "react";
import { useAgentNames } from "@/api/agents";
import { copiesOf } from "@/api/copies";
import { type Change, useRefusal } from "@/api/me";
import { toApiError } from "@/api/problem";
import type { Operation } from "@/api/types";
import { describeSearch } from "@/jobs/list/search/describe-search";
import { fromFilter } from "@/jobs/list/search/from-filter";
import { formatCount, shortenId } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { Duration } from "@/ui/display/duration";
import { ErrorState } from "@/ui/display/states";
import { ThingHead } from "@/ui/display/ThingHead";
import { ThingId } from "@/ui/display/ThingId";
import { ExactTime, toIntlZone, useZone } from "@/ui/display/time";
import { BatchConfirmation } from "./BatchConfirmation";
import { BatchStateBadge } from "./BatchStateBadge";
import {
  BATCH_ACTIONS,
  type BatchAction,
  countAtRest,
  describeOperation,
  explainRefusal,
  findStep,
  hasEnded,
  nameAction,
} from "./batch-state";
import { useBatchAction } from "./mutations";

const LOOK: Record<BatchAction, { icon: LucideIcon; operation: Change }> = {
  pause: { icon: CirclePause, operation: "pause_operation" },
  resume: { icon: Play, operation: "resume_operation" },
  cancel: { icon: CircleSlash, operation: "cancel_operation" },
  retry: { icon: RotateCcw, operation: "retry_operation" },
  again: { icon: RotateCcw, operation: "create_operation" },
};

/** Head of a batch's page: the likely step is its button, at once where it takes something back; else it asks first. */
export function BatchHead({ batch }: { batch: Operation }) {
  const [asked, ask] = useState<"cancel" | "retry" | null>(null);
  const refuse = useRefusal();
  const navigate = useNavigate();
  const act = useBatchAction(batch);
  const error = act.error ? toApiError(act.error) : null;
  const step = findStep(batch);
  const explain = (action: BatchAction) =>
    act.isPending
      ? "Another action is under way already."
      : (refuse(LOOK[action].operation) ?? explainRefusal(action, batch));
  const run = (action: BatchAction, reason?: string) => {
    const onSuccess = (operation: Operation) => {
      ask(null);
      if (operation.id !== batch.id) void navigate({ to: "/batches/$id", params: { id: operation.id } });
    };
    act.mutate({ action, reason }, { onSuccess });
  };
  const choose = (action: BatchAction) => {
    act.reset();
    if (action === "cancel" || action === "retry") ask(action);
    else run(action);
  };
  const openJobs = () => void navigate({ to: "/jobs", search: { batch: batch.id } });
  const title = describeOperation(batch);
  return (
    <div className="space-y-2">
      <ThingHead
        badge={<BatchStateBadge batch={batch} />}
        title={batch.name ? `${batch.name}: ${title}` : title}
        facts={useFacts(batch)}
        step={
          step ? (
            <Step action={step} batch={batch} reason={explain(step)} onClick={() => choose(step)} />
          ) : (
            <Button onClick={openJobs}>Open its jobs</Button>
          )
        }
        copies={copiesOf("batch", batch.id)}
        choices={[
          ...BATCH_ACTIONS.map((action) => ({
            words: nameAction(action, batch),
            onSelect: () => choose(action),
            reason: explain(action),
          })),
          { words: "Open its jobs", onSelect: openJobs },
        ]}
      />
      {error && !asked && <ErrorState title={error.title} detail={error.detail} code={error.code} />}
      {asked && (
        <BatchConfirmation
          action={asked}
          batch={batch}
          isPending={act.isPending}
          error={error}
          onConfirm={(reason) => run(asked, reason)}
          onClose={() => ask(null)}
        />
      )}
    </div>
  );
}

/** What was asked for, by whom and when, in the facts that are set. */
function useFacts(batch: Operation) {
  const { nameOf } = useAgentNames();
  const { actor, filter, agent_id: agent, judge, retry_of: retryOf, id } = batch;
  const zone = toIntlZone(useZone()[0]);
  const search = filter && fromFilter(filter);
  const words = search && describeSearch(search, zone, nameOf);
  return [
    ["At rest", `${formatCount(countAtRest(batch))} of ${formatCount(batch.total)}`],
    ["Asked by", actor && <bdi key="actor">{actor}</bdi>],
    [
      "Of",
      search && (
        <Link key="filter" to="/jobs" search={search} title={words} className="text-accent underline">
          <bdi>{words}</bdi>
        </Link>
      ),
    ],
    [
      "To",
      agent && (
        <Link key="agent" to="/agents/$id" params={{ id: agent }} className="text-accent underline">
          <bdi>{nameOf(agent)}</bdi>
        </Link>
      ),
    ],
    ["Judged by", judge && <bdi key="judge">{judge}</bdi>],
    ["Began", <ExactTime key="began" at={batch.created_at} />],
    [hasEnded(batch) ? "Took" : "For", <Duration key="took" from={batch.created_at} to={batch.finished_at} />],
    [
      "Of what failed in",
      retryOf && (
        <Link
          key="retry"
          to="/batches/$id"
          params={{ id: retryOf }}
          className="font-mono text-xs text-accent underline"
        >
          {shortenId(retryOf)}
        </Link>
      ),
    ],
    ["Tenant", batch.tenant && batch.tenant !== "default" && <bdi key="tenant">{batch.tenant}</bdi>],
    ["Id", <ThingId key="id" id={id} />],
  ] as const;
}

type StepProps = { action: BatchAction; batch: Operation; reason: string | null; onClick: () => void };

function Step({ action, batch, reason, onClick }: StepProps) {
  const Icon = LOOK[action].icon;
  return (
    <Button kind={action === "cancel" ? "plain" : "primary"} reason={reason} onClick={onClick}>
      <Icon aria-hidden size={14} />
      {nameAction(action, batch)}
    </Button>
  );
}
