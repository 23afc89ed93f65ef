import { useState } from "react";
import { asApiError } from "@/api/problem";
import type { Job } from "@/api/types";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { CriteriaEditor } from "../form/CriteriaEditor";
import { type Criterion, criteriaOf, criteriaText } from "../form/criteria";
import { useEditJob } from "../form/mutations";
import { ProblemState } from "../ProblemState";

const FIELD = ["acceptance_criteria"];

/** Changes what a job is judged by, as it was seen: where the job has changed meanwhile, that is said first. */
export function EditCriteriaDialog({ job, onClose }: { job: Job; onClose: () => void }) {
  const [base, setBase] = useState({ version: job.version, text: job.acceptance_criteria });
  const [criteria, setCriteria] = useState<Criterion[]>(() => criteriaOf(job.acceptance_criteria));
  const edit = useEditJob();
  const error = edit.error ? asApiError(edit.error) : null;
  const isOutdated = error?.status === 412;
  const text = criteriaText(criteria);
  const wrong = text === "" ? "It needs at least one criterion." : undefined;
  const isReady = wrong === undefined && text !== base.text && !edit.isPending && !isOutdated;
  const save = () => {
    if (!isReady) return;
    edit.mutate({ id: job.id, version: base.version, edit: { acceptance_criteria: text } }, { onSuccess: onClose });
  };
  const takeNewer = () => {
    setBase({ version: job.version, text: job.acceptance_criteria });
    edit.reset();
  };
  const served = error?.fields.find(({ field }) => field === "acceptance_criteria")?.message;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Edit the criteria"
      description="What comes next is judged by these. Verdicts that are there stay as they are."
      className="w-[min(760px,calc(100vw-32px))]"
    >
      <form
        className="space-y-4"
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <CriteriaEditor value={criteria} onChange={setCriteria} error={wrong ?? served} />
        {isOutdated ? <Outdated job={job} text={base.text} onTake={takeNewer} /> : null}
        {!isOutdated && <ProblemState error={edit.error} placed={FIELD} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Back</Button>
          <Button type="submit" kind="primary" unavailable={!isReady} aria-busy={edit.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

type OutdatedProps = { job: Job; text: string; onTake: () => void };

/** The job has changed since the dialog was opened: whether its criteria did, and how to go on. */
function Outdated({ job, text, onTake }: OutdatedProps) {
  const isOther = job.acceptance_criteria !== text;
  return (
    <div role="alert" className="space-y-2 rounded border border-resubmit bg-resubmit-tint p-3">
      <p className="font-medium text-resubmit">The job has changed meanwhile; nothing was saved.</p>
      <p>
        {isOther
          ? "Its criteria are other ones now. Going on puts yours in their place:"
          : "Its criteria are the same. Going on saves yours over the newer version."}
      </p>
      {isOther && <pre className="font-mono text-xs whitespace-pre-wrap">{job.acceptance_criteria}</pre>}
      <Button size="small" onClick={onTake}>
        Go on
      </Button>
    </div>
  );
}
