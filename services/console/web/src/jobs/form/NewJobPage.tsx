import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { ReadState } from "@/api/ProblemState";
import { EMPTY_VALUES, toJobValues } from "@/jobs/form/model/job-values";
import { jobQuery } from "@/jobs/model/queries";
import { useTitle } from "@/lib/use-title";
import { Skeleton } from "@/ui/display/states";
import { JobForm } from "./JobForm";

/** Page of a new job: empty, or a duplicate of another job. */
export function NewJobPage({ from }: { from?: string }) {
  useTitle(from ? "Duplicate a job" : "New job");
  return (
    <div className="mx-auto max-w-7xl p-4 pb-0">
      <div className="max-w-3xl space-y-4">
        <nav aria-label="Around this form" className="text-muted">
          <Link to="/" search={{}} className="inline-flex min-h-6 items-center hover:text-text">
            <ChevronLeft aria-hidden size={14} /> Jobs
          </Link>
        </nav>
        <h1 className="text-xl font-semibold">{from ? "Duplicate a job" : "New job"}</h1>
        {from ? <Duplicate id={from} /> : <JobForm initial={EMPTY_VALUES} />}
      </div>
    </div>
  );
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
