import type { ReactNode } from "react";
import type { Job } from "@/api/types";
import { cn } from "@/lib/cn";
import { JsonTree } from "@/results/views/JsonTree";

/** What stands below the result is seen once that is there, whose height nobody knows before. */
export const ONCE_READ = "peer-has-[[aria-busy=true]]:invisible";

/** Payload and policy of a job, folded. */
export function JobInputs({ job, isHidden }: { job: Job; isHidden: boolean }) {
  const policy = Object.fromEntries(Object.entries(job.policy ?? {}).filter(([, value]) => value !== null));
  return (
    <section aria-label="Inputs" hidden={isHidden} className={cn("space-y-2 border-y py-3", ONCE_READ)}>
      <Fold name="Payload">
        {job.payload == null ? <p>No payload.</p> : <JsonTree value={job.payload} label="Payload" />}
      </Fold>
      <Fold name="Policy">
        {Object.keys(policy).length === 0 ? (
          <p>Default: the agent's, or else the service's.</p>
        ) : (
          <JsonTree value={policy} label="Policy" />
        )}
      </Fold>
    </section>
  );
}

function Fold({ name, children }: { name: string; children: ReactNode }) {
  return (
    <details>
      <summary className="min-h-6 font-medium">{name}</summary>
      <div className="pt-2 pl-4">{children}</div>
    </details>
  );
}
