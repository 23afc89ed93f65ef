import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAgentNames } from "@/api/agents";
import { ProblemState } from "@/api/ProblemState";
import type { Job } from "@/api/types";
import { describeSearch, type JobsSearch } from "@/jobs/list/filters/jobs-search";
import { countsQuery } from "@/jobs/list/state/queries";
import { STATUS_LOOKS } from "@/jobs/model/status";
import { pluralize } from "@/lib/format";
import { toIntlZone, useZone } from "@/ui/display/time";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { describeMatching, EXECUTABLE, toBatchFilter, useCreateBatch } from "./create-batch";
import { listAllowed } from "./use-bulk-action";

const EXECUTABLE_WORDS = EXECUTABLE.map((status) => STATUS_LOOKS[status].word.toLowerCase()).join(" or ");

type BatchDialogProps = {
  search: JobsSearch;
  /** Selected jobs; null means all that match. */
  selected: readonly Job[] | null;
  onClose: (isMade: boolean) => void;
};

/** Dialog that confirms a batch: which jobs it executes; then opens its page. */
export function BatchDialog({ search, selected, onClose }: BatchDialogProps) {
  const counts = useQuery({ ...countsQuery(search), enabled: selected === null }).data;
  const zone = toIntlZone(useZone()[0]);
  const { nameOf } = useAgentNames();
  const create = useCreateBatch();
  const navigate = useNavigate();
  const which = selected ? pluralize(selected.length, "job") : describeMatching(counts, search);
  const others = selected ? selected.length - listAllowed("execute", selected).length : 0;
  const [body] = useState(() =>
    selected ? { job_ids: selected.map(({ id }) => id) } : { filter: toBatchFilter(search, Date.now()) },
  );
  const confirm = () => {
    create.mutate(body, {
      onSuccess: ({ id }) => {
        onClose(true);
        void navigate({ to: "/batches/$id", params: { id } });
      },
    });
  };
  return (
    <AlertDialog
      open
      onOpenChange={(open) => !open && onClose(false)}
      title={`Execute ${which} as a batch?`}
      verb="Execute"
      isPending={create.isPending}
      onConfirm={confirm}
      fields={<ProblemState error={create.error} />}
    >
      <p>
        {selected ? "Selected among: " : "All that match: "}
        <b className="font-medium">{describeSearch(search, zone, nameOf)}</b>
        {selected || search.status ? "." : `; of these, those that are ${EXECUTABLE_WORDS}.`}
      </p>
      <p className="text-muted">
        The service asks for one after the other and keeps to the limits; the batch can be paused and cancelled, and
        goes on when this page is closed.
      </p>
      <p className="text-muted">
        {others > 0
          ? `${pluralize(others, "job")} of them cannot be executed as they stand: the batch lists these as refused.`
          : "Those that cannot be executed are listed as refused, each with a code."}
      </p>
    </AlertDialog>
  );
}
