import { queryOptions, useMutation, useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import { withIdempotencyKey } from "@/api/idempotency";
import { jobKeys } from "@/api/query-keys";
import type { Job, JobLog, JobsPage, Judging } from "@/api/types";
import { entryQuery } from "@/jobs/model/logs";
import { jobQuery } from "@/jobs/model/queries";
import { parseJson, stringifyJson } from "@/lib/exact-json";

/** What is judged, as it is typed. */
export type Trial = { result: string; form: "text" | "json"; criteria: string; judge: string; payload?: unknown };

export type PlaygroundSearch = { job?: string; policy?: string; set?: string };

const ASKED_EVERY_MS = 1_000;
/** The newest results that a draft is run over. */
const LAST = 20;

/** Read the result as its form says. SyntaxError: it is not JSON. */
export const readResult = ({ form, result }: Trial): unknown => (form === "json" ? parseJson(result) : result);

/** Ask for a judgement without a job; answers with the id of it. */
export function useTry() {
  return useMutation({
    mutationKey: ["judgings", "create"],
    mutationFn: (trial: Trial): Promise<{ id: string }> => {
      const { criteria, judge, payload } = trial;
      const body = {
        kind: "try",
        cases: [{ result: readResult(trial), acceptance_criteria: criteria, payload: payload ?? undefined }],
        judge: judge || undefined,
      };
      return withIdempotencyKey(`try/${stringifyJson(body)}`, (idempotencyKey) =>
        api.post("/api/judgings", { body, idempotencyKey }),
      );
    },
  });
}

/** Read a judgement, again and again until a validator has made it. */
export function useJudging(id: string | undefined) {
  return useQuery<Judging | null>({
    queryKey: ["judgings", id],
    enabled: id !== undefined,
    refetchInterval: ({ state }) => (state.data?.state === "DONE" ? false : ASKED_EVERY_MS),
    queryFn: async ({ signal }) => {
      const page = await api.get("/api/judgings/{judgings_id}", { path: { judgings_id: id ?? "" }, signal });
      return page.items[0] ?? null;
    },
  });
}

/** Query of a job with the entry that holds its newest result. */
export function judgedJobQuery(id: string) {
  return queryOptions({
    queryKey: ["judged-job", id],
    staleTime: 0,
    queryFn: async ({ client, signal }): Promise<{ job: Job; entry: JobLog | null }> => {
      const query = { kind: ["result", "met", "not_met"], newest_first: "true", page_size: 1 };
      const [job, found] = await Promise.all([
        client.fetchQuery(jobQuery(id)),
        api.get("/api/jobs/{job_id}/logs", { path: { job_id: id }, query, signal }),
      ]);
      const newest = found.items[0];
      return { job, entry: newest ? await client.fetchQuery(entryQuery(id, newest.version)) : null };
    },
  });
}

/** Query of the jobs whose results a draft is run over: the newest that rest with a verdict. */
export const lastJobsQuery = queryOptions({
  queryKey: [...jobKeys.all, "last-judged"],
  staleTime: 0,
  enabled: false,
  queryFn: async ({ signal }): Promise<Job[]> => {
    const query = { status: ["COMPLETED", "REJECTED", "RESUBMISSION_REQUIRED"], page_size: LAST };
    const page: JobsPage = await api.get("/api/jobs", { query, signal });
    return page.items;
  },
});

/** Fill in the form from a job's result. */
export function toTrial({ job, entry }: { job: Job; entry: JobLog | null }): Trial {
  const result = entry?.result ?? "";
  const isText = typeof result === "string";
  return {
    result: isText ? result : stringifyJson(result, 2),
    form: isText ? "text" : "json",
    criteria: job.acceptance_criteria ?? "",
    judge: job.policy?.judge ?? "",
    payload: job.payload,
  };
}
