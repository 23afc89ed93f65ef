import type { Job, JobLog } from "@/api/types";

/** Phase of a job that is queued or running. */
export type Phase = {
  word: string;
  isWaiting: boolean;
  /** When the phase began; for a wait, when it ends. */
  since?: string;
  until?: string;
  /** Number of the agent's call that runs or comes next, and how many are allowed. */
  call?: number;
  calls?: number;
  /** Progress that the agent reported of the running call: last and highest share, and message. */
  share?: number;
  highest?: number;
  message?: string;
};

/** Find when the execution was requested, or was due if later: its deadline counts from there. */
export function findRequestTime(job: Job, logs: readonly JobLog[]): string | undefined {
  const at = logs.find((log) => log.execution_id === job.execution_id && log.kind === "requested")?.created_at;
  return at && job.not_before && job.not_before > at ? job.not_before : at;
}

/** Find the time before which no execution may begin, while it is ahead. */
export function findBegin({ not_before: at }: Job, now: number): string | undefined {
  return at && Date.parse(at) > now ? at : undefined;
}

/**
 * Find the last step of an execution, progress reports aside. A lapsed lease that reports progress since was renewed
 * after all.
 */
export function findLastStep(mine: readonly JobLog[]): JobLog | undefined {
  const isReporting = mine.at(-1)?.kind === "progress";
  return mine.findLast(({ kind }) => kind !== "progress" && !(isReporting && kind === "lapsed"));
}

/** Derive the phase of a job from the log of its running execution; null when none runs. */
export function derivePhase(job: Job, logs: readonly JobLog[], now: number): Phase | null {
  if (job.status !== "IN_PROGRESS" && !(job.status === "ASSIGNED" && job.live)) return null;
  const mine = logs.filter((log) => log.execution_id != null && log.execution_id === job.execution_id);
  const last = findLastStep(mine);
  const newest = mine.at(-1);
  const call = newest && (newest.spent_calls ?? 0) + 1;
  const calls = newest?.max_calls ?? undefined;
  const next = last?.next_attempt_at ?? undefined;
  const begin = findBegin(job, now);
  const isAhead = (at: string | null | undefined) => at != null && Date.parse(at) > now;
  const waiting = { word: "waits for a worker", isWaiting: true };
  switch (last?.kind) {
    case "requested":
      if (begin) return { word: "waits for its time", isWaiting: true, until: begin };
      return {
        ...waiting,
        word: job.submission > 1 ? "being resubmitted" : waiting.word,
        since: findRequestTime(job, mine),
      };
    case "given_back":
      return { ...waiting, since: last.created_at, call, calls };
    case "attempt_failed":
    case "lapsed":
      if (!isAhead(next)) return { ...waiting, since: next ?? last.created_at, call, calls };
      return { word: "waits for its next call", isWaiting: true, until: next, call, calls };
    case "result":
      return { word: "judging", isWaiting: false, since: last.created_at };
    case "call_failed":
      if (isAhead(next)) return { word: "waits for its next call", isWaiting: true, until: next, call, calls };
  }
  if (job.status === "ASSIGNED") return { ...waiting, since: last?.created_at };
  const since = last?.kind === "call_failed" ? next : last?.created_at;
  return { word: "the agent works", isWaiting: false, since, call, calls, ...readReportedProgress(mine, last) };
}

/** Read the progress reported since the call began; that of earlier calls does not count. */
function readReportedProgress(mine: readonly JobLog[], callStart: JobLog | undefined) {
  const reports = mine.filter((log) => log.kind === "progress" && log.version > (callStart?.version ?? 0));
  if (reports.length === 0) return {};
  const shares = reports.map((log) => log.progress ?? 0);
  return { share: shares.at(-1), highest: Math.max(...shares), message: reports.at(-1)?.message ?? undefined };
}
