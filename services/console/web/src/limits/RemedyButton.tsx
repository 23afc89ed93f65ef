import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { useRefusal } from "@/api/me";
import { ProblemState } from "@/api/ProblemState";
import { loadPart } from "@/lib/load-part";
import { Button } from "@/ui/controls/button";
import { limitsQuery } from "./queries";
import { type Remedy, useRemedy } from "./remedies";

/** Read when it is first opened. */
const LimitDialog = lazy(() => loadPart(async () => ({ default: (await import("./LimitDialog")).LimitDialog })));

/** Button that lifts a cause of waiting at once, or opens the form of the limit that has to be raised. */
export function RemedyButton({ remedy, kind = "primary" }: { remedy: Remedy; kind?: "primary" | "plain" }) {
  const [isRaising, raise] = useState(false);
  const remedied = useRemedy();
  const refused = useRefusal()(remedy.operation);
  const isSent = remedied.isPending || remedied.isSuccess;
  return (
    <>
      <Button
        kind={kind}
        reason={refused}
        unavailable={isSent}
        aria-busy={remedied.isPending || undefined}
        onClick={() => (remedy.does === "raise" ? raise(true) : remedied.mutate(remedy))}
      >
        {remedied.isSuccess ? "Done" : remedy.words}
      </Button>
      <ProblemState error={remedied.error} />
      {isRaising && <RaisedLimit name={remedy.id} onClose={() => raise(false)} />}
    </>
  );
}

function RaisedLimit({ name, onClose }: { name: string; onClose: () => void }) {
  const limits = useQuery(limitsQuery(null));
  if (limits.error) return <ProblemState error={limits.error} />;
  if (!limits.data) return null;
  return (
    <Suspense>
      <LimitDialog name={name} limit={limits.data.find((limit) => limit.name === name)} onClose={onClose} />
    </Suspense>
  );
}
