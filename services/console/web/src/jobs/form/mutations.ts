import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { withIdempotencyKey } from "@/api/idempotency";
import { type ApiError, toApiError } from "@/api/problem";
import { jobKeys } from "@/api/query-keys";
import type { Job, JobPatch, NewJob, SavedJob } from "@/api/types";
import { stringifyJson } from "@/lib/exact-json";
import { applyJob } from "@/live/apply-changes";
import { toast } from "@/ui/feedback/toast";

type CreateRequest = { body: NewJob; executesAtOnce: boolean };
type CreatedJob = { job: Job; refused?: ApiError };

/** Say what might be meant otherwise in the criteria, which were accepted. */
function describeWarning({ message, suggestion }: NonNullable<SavedJob["warnings"]>[number]): string {
  return suggestion ? `${message}; instead: ${suggestion.replaceAll("\n", "; and ")}` : message;
}

function showWarnings({ warnings = [] }: SavedJob): void {
  if (warnings.length > 0) toast("Saved as it is", warnings.map(describeWarning).join("; "));
}

/**
 * Create a job and, where requested, execute it. A refused execution is returned beside the job: creating has not
 * failed.
 */
export function useCreateJob() {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["jobs", "create"],
    mutationFn: async ({ body, executesAtOnce }: CreateRequest): Promise<CreatedJob> => {
      const job = await withIdempotencyKey(`create/${stringifyJson(body)}`, (idempotencyKey) =>
        api.post("/api/jobs", { body, idempotencyKey }),
      );
      showWarnings(job);
      if (!executesAtOnce) return { job };
      try {
        const path = { job_id: job.id };
        await withIdempotencyKey(`execute/${job.id}`, (idempotencyKey) =>
          api.post("/api/jobs/{job_id}/execute", { path, idempotencyKey }),
        );
        return { job: await api.get("/api/jobs/{job_id}", { path }) };
      } catch (error) {
        return { job, refused: toApiError(error) };
      }
    },
    onSuccess: ({ job }) => applyJob(client, job),
  });
}

type Edit = { id: string; version: number; patch: JobPatch };

/** Edit a job at the version that was seen; the server refuses when it has changed since. */
export function useEditJob() {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["jobs", "edit"],
    mutationFn: ({ id, version, patch }: Edit): Promise<SavedJob> =>
      api.patch("/api/jobs/{job_id}", { path: { job_id: id }, body: patch, ifMatch: version }),
    onSuccess: (job) => {
      showWarnings(job);
      applyJob(client, job);
    },
    onError: (_error, { id }) => client.invalidateQueries({ queryKey: jobKeys.detail(id) }),
  });
}
