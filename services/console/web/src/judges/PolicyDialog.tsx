import { lazy, Suspense, useState } from "react";
import { ProblemState } from "@/api/ProblemState";
import { type FieldError, toApiError } from "@/api/problem";
import type { NamedJudgePolicy } from "@/api/types";
import { parseJson } from "@/lib/exact-json";
import { Button } from "@/ui/controls/button";
import { Field, Input } from "@/ui/controls/field";
import { Skeleton } from "@/ui/display/states";
import { toast } from "@/ui/feedback/toast";
import { Dialog } from "@/ui/overlays/dialog";
import { useUnsavedWarning } from "@/ui/overlays/use-unsaved-warning";
import { formatPolicy } from "./format-policy";
import { usePutPolicy } from "./mutations";
import { useOnceSaved } from "./use-once-saved";

const JsonEditor = lazy(() => import("@/jobs/form/fields/JsonEditor"));

const AT_FIRST = { stages: [{ kind: "checks" }, { kind: "single", judges: [{ model: "gpt-5-mini" }] }], asks: "all" };
const SAYS = "policy-says";

type PolicyDialogProps = {
  /** The policy that gets a version; without one, a new policy is made. */
  named?: NamedJudgePolicy;
  onClose: () => void;
  onSaved?: (version: number) => void;
};

/** Form of a version of a judge policy, as JSON; what the service refuses is marked where it stands. */
export function PolicyDialog({ named, onClose, onSaved }: PolicyDialogProps) {
  const [before] = useState(() => formatPolicy(named?.versions?.[0]?.policy ?? AT_FIRST));
  const [name, setName] = useState(named?.name ?? "");
  const [text, setText] = useState(before);
  const [note, setNote] = useState("");
  const put = usePutPolicy();
  const { leave, warning } = useUnsavedWarning(!put.isSuccess && (text !== before || note !== ""), onClose);
  useOnceSaved(put.data?.version, (version) => {
    onClose();
    onSaved?.(version);
  });
  const policy = parseObject(text);
  const errors = put.error ? toApiError(put.error).fields : [];
  const inPolicy = errors.flatMap(({ field, message }) =>
    field === "policy" || field.startsWith("policy.") ? [{ field: field.slice("policy.".length), message }] : [],
  );
  const isReady = policy !== null && name.trim() !== "";
  const save = () =>
    put.mutate(
      {
        name: name.trim(),
        newest: named?.newest,
        policy: { ...policy, name: name.trim() },
        note: note.trim() || undefined,
      },
      {
        onSuccess: ({ warnings = [] }) => {
          for (const { message } of warnings) toast("Look at this", message);
        },
      },
    );
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && leave()}
      title={named ? `New version of ${named.name}` : "Make a judge policy"}
      description={
        named
          ? "Nothing is judged by it until it is promoted."
          : "Its first version is current; jobs and agents name it."
      }
      className="w-[min(760px,calc(100vw-32px))]"
    >
      <form
        noValidate
        className="space-y-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady && !put.isPending) save();
        }}
      >
        {!named && (
          <Field label="Name" hint="Small letters, digits and . _ -">
            {(control) => <Input {...control} value={name} onChange={(event) => setName(event.target.value)} />}
          </Field>
        )}
        <div>
          <span className="mb-1 block font-medium">Policy</span>
          <div className="h-60">
            <Suspense fallback={<Skeleton className="h-full" />}>
              <JsonEditor label="Policy" value={text} onChange={setText} describedBy={SAYS} problems={inPolicy} />
            </Suspense>
          </div>
          <Says isObject={policy !== null} problems={inPolicy} />
        </div>
        <Field label="Note" hint="Optional: what is new.">
          {(control) => (
            <Input {...control} maxLength={1_000} value={note} onChange={(event) => setNote(event.target.value)} />
          )}
        </Field>
        <ProblemState error={put.error} placed={["policy"]} />
        <div className="flex justify-end gap-2 pt-2">
          <Button onClick={leave}>Back</Button>
          <Button type="submit" kind="primary" unavailable={!isReady || put.isPending} aria-busy={put.isPending}>
            Save
          </Button>
        </div>
      </form>
      {warning}
    </Dialog>
  );
}

/** What is wrong with the policy, each with its place. */
function Says({ isObject, problems }: { isObject: boolean; problems: readonly FieldError[] }) {
  return (
    <div id={SAYS} role="status" className="mt-1 min-h-4 text-xs text-muted">
      {problems.length === 0 &&
        (isObject
          ? "Stages: checks, then single, quorum or cascade. A key is named, never written here."
          : "It is not an object in JSON yet.")}
      {problems.map(({ field, message }) => (
        <p key={`${field} ${message}`} className="text-failed wrap-anywhere">
          {field && <code className="font-mono">{field}: </code>}
          {message}
        </p>
      ))}
    </div>
  );
}

function parseObject(text: string): object | null {
  try {
    const value: unknown = parseJson(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
