import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { FormProvider, useForm } from "react-hook-form";
import { useAgentNames } from "@/api/agents";
import { showFieldErrors } from "@/api/field-errors";
import { meQuery, useRefusal } from "@/api/me";
import { ProblemState, ReadState } from "@/api/ProblemState";
import { useTenantOfNew } from "@/api/tenants";
import type { Policy } from "@/api/types";
import { JobFields } from "@/jobs/form/fields/JobFields";
import { EMPTY_VALUES, type JobValues, PLACED, toJobValues, toNewJob } from "@/jobs/form/model/job-values";
import { jobQuery } from "@/jobs/model/queries";
import { useKeptForm } from "@/lib/kept";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/controls/button";
import { Skeleton } from "@/ui/display/states";
import { toast } from "@/ui/feedback/toast";
import { useUnsavedWarning } from "@/ui/overlays/use-unsaved-warning";
import { useCreateJob } from "./mutations";

/** Page of a new job: empty, or a duplicate of another job. */
export function NewJobPage({ from }: { from?: string }) {
  useTitle(from ? "Duplicate a job" : "New job");
  return (
    <div className="mx-auto max-w-7xl p-4 pb-0">
      <div className="max-w-3xl space-y-4">
        <nav aria-label="Around this form" className="text-muted">
          <Link to="/jobs" search={{}} className="inline-flex min-h-6 items-center hover:text-text">
            <ChevronLeft aria-hidden size={14} /> Jobs
          </Link>
        </nav>
        <h1 className="text-xl font-semibold">{from ? "Duplicate a job" : "New job"}</h1>
        {from ? <Duplicate id={from} /> : <NewJob />}
      </div>
    </div>
  );
}

/** Empty form, once it is known of which tenant the job is. */
function NewJob() {
  const { isPending } = useQuery(meQuery);
  const tenant = useTenantOfNew();
  return isPending ? null : <JobForm initial={{ ...EMPTY_VALUES, tenant }} />;
}

function Duplicate({ id }: { id: string }) {
  const query = useQuery(jobQuery(id));
  const job = query.data;
  if (job) {
    return (
      <>
        <p className="text-muted wrap-anywhere">
          As{" "}
          <Link to="/jobs/$id" params={{ id }} className="text-accent underline">
            <bdi>{job.title}</bdi>
          </Link>
          , with what you change. It is a job of its own: nothing of the history comes along.
        </p>
        <JobForm initial={toJobValues(job)} policy={job.policy} />
      </>
    );
  }
  return (
    <ReadState query={query} what="the job">
      <div className="space-y-5">
        <Skeleton className="h-14" />
        <Skeleton className="h-28" />
        <Skeleton className="h-28" />
      </div>
    </ReadState>
  );
}

/** Form of a new job. The server validates; its errors stand at their fields. */
export function JobForm({ initial, policy }: { initial: JobValues; policy?: Policy }) {
  const form = useForm<JobValues>({ defaultValues: initial, mode: "onTouched" });
  useKeptForm("job", form);
  const { handleSubmit, setError, formState, watch } = form;
  const create = useCreateJob();
  const navigate = useNavigate();
  const { nameAllIn } = useAgentNames();
  const { warning } = useUnsavedWarning(formState.isDirty);
  const submit = (executesAtOnce: boolean) =>
    handleSubmit((values) => {
      create.mutate(
        { body: toNewJob(values, policy), executesAtOnce },
        {
          onSuccess: ({ job, refused }) => {
            if (refused) toast("The job was created, but not executed", nameAllIn(refused.detail || refused.title));
            void navigate({ to: "/jobs/$id", params: { id: job.id }, ignoreBlocker: true });
          },
          onError: (error) => showFieldErrors(error, PLACED, setError),
        },
      );
    });
  const refuse = useRefusal();
  const isForNobody = watch("who") === "later";
  return (
    <FormProvider {...form}>
      <form noValidate className="space-y-5" onSubmit={submit(false)}>
        <JobFields />
        <ProblemState error={create.error} placed={PLACED} />
        <div className="flex flex-wrap justify-end gap-2 border-t py-4">
          <Button
            type="submit"
            unavailable={create.isPending}
            reason={refuse("create_job")}
            aria-busy={create.isPending}
          >
            Create
          </Button>
          <Button
            kind="primary"
            unavailable={create.isPending || isForNobody}
            reason={refuse("create_job") ?? refuse("execute_job")}
            title={isForNobody ? "It needs an agent first." : undefined}
            aria-busy={create.isPending}
            onClick={submit(true)}
          >
            Create and execute
          </Button>
        </div>
      </form>
      {warning}
    </FormProvider>
  );
}
