import type { Job } from "@/api/types";
import { useJobActions } from "@/jobs/actions/use-job-actions";
import { ThingHead } from "@/ui/display/ThingHead";

/** Head of a job with its actions alone. */
export function Actions({ job }: { job: Job }) {
  const { likely, choices, dialog } = useJobActions(job);
  return (
    <>
      <ThingHead
        badge={null}
        title={job.title}
        facts={[]}
        step={
          likely && (
            <button type="button" onClick={likely.onSelect}>
              {likely.words}
            </button>
          )
        }
        choices={choices}
      />
      {dialog}
    </>
  );
}
