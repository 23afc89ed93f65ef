import { Link } from "@tanstack/react-router";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { useRefusal } from "@/api/me";
import { ProblemState } from "@/api/ProblemState";
import { useTenantOfNew } from "@/api/tenants";
import type { Job, NewJob } from "@/api/types";
import { useResubmitJob } from "@/jobs/actions/mutations";
import { useCreateJob } from "@/jobs/form/mutations";
import { cn } from "@/lib/cn";
import { Button, buttonLook } from "@/ui/controls/button";
import { AGENT, type FirstSteps as Steps } from "./first-steps";

/** Job that is refused at first, and accepted once it is resubmitted. */
const FIRST_JOB = {
  title: "A thank-you letter",
  description: "Thank a neighbour for the help.",
  acceptance_criteria: 'It mentions the "harvest"',
  agent_id: AGENT,
  policy: { max_submissions: 3 },
} as const satisfies NewJob;

/** Where a viewer stands, by the job that was made. */
function findStep(job: Job | undefined): number {
  if (!job) return 0;
  if (job.status === "RESUBMISSION_REQUIRED") return 2;
  if (job.status === "COMPLETED") return 4;
  return job.submission > 1 ? 3 : 1;
}

/** The first steps in a line: make a job, watch it, see what it was refused for, resubmit it; each by a button. */
export function FirstSteps({ steps: { job, begin, end } }: { steps: Steps }) {
  const refuse = useRefusal();
  const tenant = useTenantOfNew();
  const create = useCreateJob();
  const resubmit = useResubmitJob();
  const step = findStep(job);
  const make = () =>
    create.mutate(
      { body: { ...FIRST_JOB, tenant }, executesAtOnce: true },
      { onSuccess: (made) => begin(made.job.id) },
    );
  const open = (words: string, isPrimary: boolean) =>
    job && (
      <Link to="/jobs/$id" params={{ id: job.id }} className={buttonLook({ kind: isPrimary ? "primary" : "plain" })}>
        {words}
      </Link>
    );
  return (
    <section aria-label="First steps" className="space-y-3 rounded border bg-sunken p-3">
      <div className="flex min-h-8 items-center justify-between gap-4 pointer-coarse:min-h-11">
        <h2 aria-live="polite" className="font-medium">
          {step === 4 ? "Accepted at the second submission" : "See a job being judged, in four steps"}
        </h2>
        {step === 4 && <div className="ml-auto flex gap-1">{open("See the verdict", false)}</div>}
        {step === 4 ? (
          <Button kind="primary" onClick={end}>
            Done
          </Button>
        ) : (
          <Button kind="quiet" size="icon" aria-label="Dismiss the first steps" onClick={end}>
            <X aria-hidden size={16} />
          </Button>
        )}
      </div>
      <ol className="grid gap-3 sm:grid-cols-2 lg:grid-cols-4">
        <Step number={0} step={step} name="Make a job" text="A letter that must mention the “harvest”.">
          <Button kind="primary" reason={refuse("create_job")} unavailable={create.isPending} onClick={make}>
            Make it
          </Button>
        </Step>
        <Step number={1} step={step} name="Watch it" text="An agent writes it; then a judge reads it.">
          {open("Watch", true)}
        </Step>
        <Step number={2} step={step} name="See it refused" text="The agent left the harvest out: the verdict says so.">
          {open("See why", false)}
        </Step>
        <Step number={3} step={step} name="Resubmit it" text="The agent is told what was not met.">
          {job && step >= 2 && (
            <Button
              kind="primary"
              reason={refuse("resubmit_job")}
              unavailable={resubmit.isPending || step > 2}
              onClick={() => resubmit.mutate({ id: job.id })}
            >
              Resubmit
            </Button>
          )}
        </Step>
      </ol>
      <ProblemState error={create.error ?? create.data?.refused ?? resubmit.error} />
    </section>
  );
}

type StepProps = { number: number; step: number; name: string; text: string; children: ReactNode };

/** A step, whose buttons are there while it is the one to take, or the one after a refusal. */
function Step({ number, step, name, text, children }: StepProps) {
  const isNow = step === number || (step === 2 && number === 3);
  return (
    <li
      aria-current={step === number ? "step" : undefined}
      className={cn("flex justify-between gap-2 sm:flex-col", !isNow && "text-muted")}
    >
      <div className="space-y-1">
        <p className="font-medium">
          {number + 1}. {name}
          {step > number && " ✓"}
        </p>
        <p className="text-xs">{text}</p>
      </div>
      <div className="min-h-8 shrink-0 pointer-coarse:min-h-11">{isNow && children}</div>
    </li>
  );
}
