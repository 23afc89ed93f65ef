import type { UseMutationResult } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { ProblemState } from "@/api/ProblemState";
import { toApiError } from "@/api/problem";
import { Field, TextArea } from "@/ui/controls/field";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { ReportField } from "./evaluations/ReportField";
import { type Report, shortenReport } from "./evaluations/report";
import { usePromote, useRetire } from "./mutations";

type MoveDialogProps<Move> = {
  title: string;
  verb: string;
  isDanger: boolean;
  act: UseMutationResult<unknown, Error, Move>;
  /** What is asked for, with the reason that was given; and what to do where it is refused. */
  toMove: (reason: string | undefined) => Move;
  onRefused?: (error: Error) => void;
  /** Whether a file that goes with it is still being read. */
  isReading?: boolean;
  /** Label and hint of the reason, and whether it must be given; without them, none is asked for. */
  reason: { label: string; hint: string; isNeeded: boolean } | null;
  fields?: ReactNode;
  children: ReactNode;
  onClose: () => void;
};

/** Dialog that makes another version of a policy current, or none, with a reason that is kept. */
function MoveDialog<Move>(props: MoveDialogProps<Move>) {
  const { title, verb, isDanger, act, toMove, onRefused, isReading, reason, fields, children, onClose } = props;
  const [typed, setTyped] = useState("");
  const why = typed.trim();
  return (
    <AlertDialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={title}
      verb={verb}
      kind={isDanger ? "danger" : "primary"}
      isPending={act.isPending}
      isReady={!isReading && (!reason?.isNeeded || why !== "")}
      onConfirm={() =>
        act.mutate(toMove((reason && why) || undefined), { onSuccess: onClose, onError: (error) => onRefused?.(error) })
      }
      fields={
        <>
          <ProblemState error={act.error} />
          {fields}
          {reason && (
            <Field label={reason.label} hint={reason.hint}>
              {(control) => (
                <TextArea
                  {...control}
                  maxLength={1_000}
                  value={typed}
                  onChange={(event) => setTyped(event.target.value)}
                />
              )}
            </Field>
          )}
        </>
      }
    >
      {children}
    </AlertDialog>
  );
}

type PromoteDialogProps = { name: string; version: number; onClose: () => void };

/** Dialog that makes a version current: with its report on the golden set; where that is refused, with a reason. */
export function PromoteDialog({ name, version, onClose }: PromoteDialogProps) {
  const promote = usePromote();
  const [report, setReport] = useState<Report | null | undefined>(null);
  const [isForced, force] = useState(false);
  return (
    <MoveDialog
      title={`Judge by version ${version} of ${name}?`}
      verb={isForced ? "Promote anyway" : "Promote"}
      isDanger={isForced}
      act={promote}
      toMove={(why) => ({
        name,
        version,
        ...(report && { report: shortenReport(report) }),
        ...(why && { force_reason: why }),
      })}
      onRefused={(error) => force(isForced || isRefusal(error))}
      isReading={report === undefined}
      reason={
        isForced
          ? {
              label: "Why anyway",
              hint: "It is kept with the version, and with who promoted it.",
              isNeeded: true,
            }
          : null
      }
      fields={
        <ReportField
          label="Report on the golden set"
          hint={
            <>
              Where the policy has one: what <code>signoff judge evaluate --json</code> printed of {name}@{version} on
              the cases of <code>signoff judges golden {name} --output</code>. It names the judgings that count.
            </>
          }
          onReport={(read) => {
            setReport(read);
            force(false);
          }}
        />
      }
      onClose={onClose}
    >
      <p>New executions are judged by it from now on. What was requested before is judged as it was then.</p>
    </MoveDialog>
  );
}

/** Whether the service refuses it as things stand, so that a reason may help. */
function isRefusal(error: Error): boolean {
  const { status } = toApiError(error);
  return status === 409 || status === 412;
}

/** Dialog that retires a policy. */
export function RetireDialog({ name, onClose }: { name: string; onClose: () => void }) {
  return (
    <MoveDialog
      title={`Retire ${name}?`}
      verb="Retire"
      isDanger
      act={useRetire()}
      toMove={(reason) => ({ name, reason })}
      reason={{ label: "Reason", hint: "Optional.", isNeeded: false }}
      onClose={onClose}
    >
      <p>
        No new execution is judged by it: jobs that name it are refused. Its versions stay, and promoting one brings it
        back.
      </p>
    </MoveDialog>
  );
}
