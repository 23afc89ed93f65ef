import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAgentNames } from "@/api/agents";
import { ProblemState } from "@/api/ProblemState";
import type { Job, OperationKind, OperationPreview } from "@/api/types";
import { describeSearch } from "@/jobs/list/search/describe-search";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { STATUS_LOOKS } from "@/jobs/model/status";
import { formatCount, formatMoney, pluralize } from "@/lib/format";
import { Skeleton } from "@/ui/display/states";
import { toIntlZone, useZone } from "@/ui/display/time";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { type Details, OperationFields } from "./OperationFields";
import { KIND_VERBS, listAllowed, previewQuery, STATUSES, toFilter, useCreateOperation } from "./operation";

type OperationDialogProps = {
  kind: OperationKind;
  search: JobsSearch;
  /** Selected jobs; null means all that match. */
  selected: readonly Job[] | null;
  /** What the fields begin with; and what the jobs are, where they were not selected in the list. */
  initial?: Details;
  among?: string;
  onClose: (isMade: boolean) => void;
};

/** What an operation is told at first: judging again changes nothing, unless somebody says so. */
const INITIAL: Partial<Record<OperationKind, Details>> = { rejudge: { shadow: true } };

const DANGERS: readonly OperationKind[] = ["cancel", "remove"];
/** What is to be known of a kind before it is confirmed. */
const NOTES: Partial<Record<OperationKind, string>> = {
  rejudge: "No agent is called: the results that are there are judged again.",
  remove:
    "They go from here for good, with their logs, texts and results; their ids stay taken, and the archive keeps what they were. What is held, labelled, part of a batch that is under way or not archived yet is refused, and stays.",
};

/** Dialog that confirms something done to many jobs: to how many, which, and at what cost; then opens its page. */
export default function OperationDialog(props: OperationDialogProps) {
  const { kind, search, selected, initial = INITIAL[kind] ?? {}, among, onClose } = props;
  const zone = toIntlZone(useZone()[0]);
  const { nameOf } = useAgentNames();
  const create = useCreateOperation();
  const navigate = useNavigate();
  const [details, setDetails] = useState(initial);
  const [allowed] = useState(() => selected && listAllowed(kind, selected));
  const [jobs] = useState(() =>
    allowed ? { job_ids: allowed.map(({ id }) => id) } : { filter: toFilter(kind, search, Date.now()) },
  );
  const others = selected && allowed ? selected.length - allowed.length : 0;
  const preview = useQuery(previewQuery({ kind, ...jobs, ...INITIAL[kind], ...toJudge(details) }));
  const { total = 0, items_max: most = 0 } = preview.data ?? {};
  const isTooMany = preview.data !== undefined && total > most;
  const isFilledIn = (kind !== "assign" || Boolean(details.agent_id)) && details.criteria?.trim() !== "";
  const isReady = total > 0 && !isTooMany && isFilledIn;
  const confirm = () => {
    const said = Object.fromEntries(Object.entries(details).filter(([, value]) => value !== "" && value != null));
    create.mutate(
      { kind, ...jobs, ...said },
      {
        onSuccess: ({ id }) => {
          onClose(true);
          void navigate({ to: "/batches/$id", params: { id } });
        },
      },
    );
  };
  const verb = KIND_VERBS[kind];
  return (
    <AlertDialog
      open
      onOpenChange={(open) => !open && onClose(false)}
      title={preview.data ? `${verb} ${pluralize(total, "job")}?` : `${verb} many jobs?`}
      verb={verb}
      kind={DANGERS.includes(kind) ? "danger" : "primary"}
      isPending={create.isPending}
      isReady={isReady}
      onConfirm={confirm}
      fields={
        <>
          <OperationFields kind={kind} details={details} onChange={setDetails} />
          <ProblemState error={preview.error ?? create.error} />
        </>
      }
    >
      <p>
        {among ? "" : selected ? "Selected among: " : "All that match: "}
        <b className="font-medium wrap-anywhere">{among ?? describeSearch(search, zone, nameOf)}</b>
        {selected ? "." : describeRest(kind, search, jobs.filter?.statuses)}
      </p>
      <div className="min-h-28">
        {preview.isPending ? (
          <Skeleton className="h-28" />
        ) : (
          <Preview {...preview.data} basis={describeBasis(kind, details.judge)} />
        )}
      </div>
      {others > 0 && (
        <p className="text-muted">{pluralize(others, "job")} of the selection cannot be, and stay as they are.</p>
      )}
      {isTooMany && (
        <p className="text-failed">{pluralize(most, "job")} at most can be treated at once: filter further.</p>
      )}
      {NOTES[kind] && <p>{NOTES[kind]}</p>}
      <p className="text-muted">
        The service does one after the other and keeps to the limits, also when this page is closed; it can be paused
        and cancelled. Jobs that do not allow it by then are listed as refused, each with its code.
      </p>
    </AlertDialog>
  );
}

/** Describe of which of the jobs that match an operation is; nothing where the filter says so already. */
function describeRest(kind: OperationKind, search: JobsSearch, statuses = STATUSES[kind]): string {
  if (search.status?.every((each) => statuses.includes(each))) return ".";
  const words = statuses.map((status) => STATUS_LOOKS[status].word.toLowerCase());
  return `; of these, those that are ${words.join(" or ")}.`;
}

/** What an operation judges by counts for what it may cost; none is chosen by an empty name. */
const toJudge = ({ judge }: Details) => (judge ? { judge } : {});

/** Describe by what the cost of an operation is estimated, where it is not by what similar jobs have cost; null of one
 *  that costs nothing. */
function describeBasis(kind: OperationKind, judge?: string | null): string | null {
  if (kind === "cancel" || kind === "assign" || kind === "remove") return null;
  if (kind !== "rejudge") return "";
  return judge ? `, by what verdicts by ${judge} cost on average` : ", by what judging them cost last";
}

type PreviewProps = Partial<OperationPreview> & { basis: string | null };

/** Some of the jobs, and what they may cost. */
function Preview({ total = 0, sample = [], cost_usd: cost, cost_of: costOf = 0, basis }: PreviewProps) {
  const more = total - sample.length;
  return (
    <>
      <ul aria-label="Some of them">
        {sample.map(({ id, title }) => (
          <li key={id} className="truncate" title={id}>
            <bdi>{title}</bdi>
          </li>
        ))}
        {sample.length > 0 && more > 0 && <li>and {formatCount(more)} more</li>}
      </ul>
      {cost == null && basis != null && total > 0 && <p className="pt-1">Estimated cost: not known</p>}
      {cost != null && (
        <p className="pt-1">
          Estimated cost: {formatMoney(cost)}
          {basis}
          {costOf < total && `, of ${formatCount(costOf)} of them; of the others it is not known`}
        </p>
      )}
    </>
  );
}
