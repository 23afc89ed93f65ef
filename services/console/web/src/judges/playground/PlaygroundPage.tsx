import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { setQuery } from "@/api/judges";
import { ProblemState } from "@/api/ProblemState";
import { QualityPages } from "@/judging/QualityPages";
import { useTitle } from "@/lib/use-title";
import { Loading, Skeleton } from "@/ui/display/states";
import { TrialForm } from "./TrialForm";
import { judgedJobQuery, type PlaygroundSearch, toTrial } from "./trials";

/** Page on which a result is judged without a job: typed in, or a job's, by its criteria, a set's or others. */
export function PlaygroundPage({ search }: { search: PlaygroundSearch }) {
  useTitle("Try a judge");
  const { job: id, set: name, policy = "" } = search;
  const judged = useQuery({ ...judgedJobQuery(id ?? ""), enabled: id !== undefined });
  const set = useQuery({ ...setQuery(name ?? ""), enabled: name !== undefined });
  const isPending = judged.isLoading || set.isLoading;
  const current = set.data?.versions?.find(({ version }) => version === set.data.current);
  const filled = judged.data
    ? toTrial(judged.data)
    : { result: "", form: "text" as const, criteria: "", judge: policy };
  return (
    <div className="mx-auto max-w-7xl space-y-4 p-4">
      <QualityPages />
      {id && (
        <nav aria-label="Around the playground" className="text-muted">
          <Link to="/jobs/$id" params={{ id }} className="inline-flex min-h-6 items-center hover:text-text">
            <ChevronLeft aria-hidden size={14} /> <bdi>{judged.data?.job.title ?? "The job"}</bdi>
          </Link>
        </nav>
      )}
      <div>
        <h1 className="text-xl font-semibold">Try a judge</h1>
        <p className="text-muted">
          A result and criteria in, a verdict out. No job is made and none changes; the judge is paid as for any.
        </p>
      </div>
      <ProblemState error={judged.error ?? set.error} />
      {judged.data?.entry === null && <p className="text-resubmit">The job has no result yet: write one.</p>}
      {isPending ? (
        <Loading what="what is judged">
          <Skeleton className="h-80" />
        </Loading>
      ) : (
        <TrialForm atFirst={{ ...filled, criteria: filled.criteria || (current?.acceptance_criteria ?? "") }} />
      )}
    </div>
  );
}
