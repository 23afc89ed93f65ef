import { queryOptions, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleSlash, OctagonAlert } from "lucide-react";
import type { ReactNode } from "react";
import { api } from "@/api/client";
import { ReadState } from "@/api/ProblemState";
import { SystemPages } from "@/api/SystemPages";
import type { Worker } from "@/api/types";
import { formatCount, formatDuration, shortenId } from "@/lib/format";
import { useTitle } from "@/lib/use-title";
import { EmptyState, Skeleton } from "@/ui/display/states";

const EVERY_MS = 5_000;

const workersQuery = queryOptions({
  queryKey: ["workers"],
  refetchInterval: EVERY_MS,
  queryFn: async ({ signal }): Promise<Worker[]> => (await api.get("/api/workers", { signal })).workers,
});

/** Kinds of processes, in the order in which work passes them, and what follows where there is none. */
const KINDS = [
  ["jobstore", "Jobstores", "None has reported."],
  ["executor", "Executors", "None is running: no agent is called until one is. Start one, or run signoff doctor."],
  ["validator", "Validators", "None is running: nothing is judged until one is. Start one, or run signoff doctor."],
] as const;

/** Page of the processes that serve: what is wrong with whom, who takes what, and how much room there is. */
export function WorkersPage() {
  useTitle("Workers");
  const query = useQuery(workersQuery);
  const workers = query.data;
  const stuck = workers?.filter(({ code }) => code != null) ?? [];
  return (
    <div className="mx-auto max-w-7xl space-y-6 p-4">
      <SystemPages />
      <h1 className="text-xl font-semibold">Workers</h1>
      <ReadState query={query} what="the workers">
        <div className="space-y-4">
          <Skeleton className="h-24" />
          <Skeleton className="h-40" />
        </div>
      </ReadState>
      {workers?.length === 0 && (
        <EmptyState title="Nobody has reported yet">
          <p>Executors and validators report within a few seconds after their start.</p>
        </EmptyState>
      )}
      {stuck.length > 0 && (
        <section aria-label="Stuck" className="space-y-2">
          <h2 className="text-lg font-semibold text-failed">Need you</h2>
          <ul className="divide-y border-y">
            {stuck.map((worker) => (
              <WorkerLine key={`${worker.kind} ${worker.id}`} worker={worker} />
            ))}
          </ul>
        </section>
      )}
      {workers &&
        workers.length > 0 &&
        KINDS.map(([kind, title, none]) => (
          <Kind key={kind} title={title} none={none} workers={workers.filter((each) => each.kind === kind)} />
        ))}
    </div>
  );
}

function Kind({ title, none, workers }: { title: string; none: string; workers: readonly Worker[] }) {
  const well = workers.filter(({ code }) => code == null);
  const [room, capacity] = [sum(well, "room"), sum(well, "capacity")];
  return (
    <section aria-label={title} className="space-y-2">
      <div className="flex flex-wrap items-baseline gap-x-4">
        <h2 className="text-lg font-semibold">{title}</h2>
        {capacity > 0 && (
          <p className="text-muted tabular-nums">
            {formatCount(capacity - room)} of {formatCount(capacity)} in use, room for {formatCount(room)}
          </p>
        )}
      </div>
      {well.length === 0 ? (
        <p className="border-y py-2 text-muted">{workers.length === 0 ? none : "All of them need you: see above."}</p>
      ) : (
        <ul className="divide-y border-y">
          {well.map((worker) => (
            <WorkerLine key={worker.id} worker={worker} />
          ))}
        </ul>
      )}
    </section>
  );
}

const sum = (workers: readonly Worker[], key: "room" | "capacity") =>
  workers.reduce((total, worker) => total + worker[key], 0);

function WorkerLine({ worker }: { worker: Worker }) {
  const { id, kind, version, silent_s: silentS, capacity, room, message, remedy, code } = worker;
  return (
    <li className="flex min-h-12 flex-wrap items-center gap-x-6 gap-y-1 py-2">
      <div className="min-w-0 grow basis-64">
        <p className="flex flex-wrap items-center gap-x-2">
          <State worker={worker} />
          {code != null && <span className="font-medium">{kind}</span>}
          <code className="font-mono text-xs" title={id}>
            {shortenId(id)}
          </code>
        </p>
        {message && <p className="wrap-anywhere">{message}</p>}
        {remedy && <p className="text-muted wrap-anywhere">{remedy}</p>}
        {code == null && <p className="text-muted wrap-anywhere">{describeServed(worker)}</p>}
      </div>
      {capacity > 0 && (
        <span className="tabular-nums">
          {formatCount(capacity - room)} of {formatCount(capacity)} in use
        </span>
      )}
      <span className="text-muted">{version || "no version"}</span>
      <span className="text-muted tabular-nums">heard {formatDuration(silentS * 1_000)} ago</span>
    </li>
  );
}

/** State in a word, with a mark and a colour. */
function State({ worker: { code, ends } }: { worker: Worker }) {
  const [Icon, word, ink] =
    code != null
      ? ([OctagonAlert, "Stuck", "text-failed"] as const)
      : ends
        ? ([CircleSlash, "Stopping", "text-muted"] as const)
        : ([CircleCheck, "Serves", "text-completed"] as const);
  return (
    <span className={`inline-flex items-center gap-1 ${ink}`}>
      <Icon aria-hidden size={14} /> {word}
    </span>
  );
}

/** What a worker takes. */
function describeServed({ kind, protocols, judge, keys, partitions, paced }: Worker): ReactNode {
  const read = partitions == null ? null : `${formatCount(partitions)} partition${partitions === 1 ? "" : "s"}`;
  if (kind === "executor") {
    return [`agents by ${protocols.length > 0 ? protocols.join(", ") : "http, http_async"}`, read]
      .filter(Boolean)
      .join(" · ");
  }
  if (kind !== "validator") return "keeps jobs, and offers them";
  const more = [
    keys.length > 0 && `keys ${keys.join(", ")}`,
    read,
    paced > 0 && `${formatCount(paced)} asks wait for a judge's pace`,
  ];
  const [name, version] = judge.split("@");
  return (
    <>
      any judge policy; its own settings are{" "}
      {name ? (
        <Link
          to="/quality/judges/$name"
          params={{ name }}
          search={version ? { version: Number(version) } : {}}
          className="underline hover:text-text"
        >
          <bdi>{judge}</bdi>
        </Link>
      ) : (
        "not reported"
      )}
      {more.filter(Boolean).map((each) => ` · ${each}`)}
    </>
  );
}
