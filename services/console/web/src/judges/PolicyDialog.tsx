import { lazy, Suspense, useState } from "react";
import { type FieldError, toApiError } from "@/api/problem";
import type { NamedJudgePolicy } from "@/api/types";
import { parseJson } from "@/lib/exact-json";
import { useKeptState } from "@/lib/kept";
import { loadPart } from "@/lib/load-part";
import { Skeleton } from "@/ui/display/states";
import { formatPolicy } from "./format-policy";
import { usePutPolicy } from "./mutations";
import { VersionDialog, type VersionDialogProps } from "./VersionDialog";

const JsonEditor = lazy(() => loadPart(() => import("@/jobs/form/fields/JsonEditor")));

const AT_FIRST = { stages: [{ kind: "checks" }, { kind: "single", judges: [{ model: "gpt-5-mini" }] }], asks: "auto" };
const SAYS = "policy-says";

/** Form of a version of a judge policy, as JSON; what the service refuses is marked where it stands. */
export function PolicyDialog(props: VersionDialogProps<NamedJudgePolicy>) {
  const { named } = props;
  const [before] = useState(() => formatPolicy(named?.versions?.[0]?.policy ?? AT_FIRST));
  const [text, setText] = useKeptState("policy", before);
  const put = usePutPolicy();
  const policy = parseObject(text);
  const errors = put.error ? toApiError(put.error).fields : [];
  const inPolicy = errors.flatMap(({ field, message }) =>
    field === "policy" || field.startsWith("policy.") ? [{ field: field.slice("policy.".length), message }] : [],
  );
  return (
    <VersionDialog
      {...props}
      what="judge policy"
      description={
        named
          ? "Nothing is judged by it until it is promoted."
          : "Its first version is current; jobs and agents name it."
      }
      put={put}
      toBody={policy && ((name) => ({ policy: { ...policy, name } }))}
      isChanged={text !== before}
      wrong={(wanted) => errors.find(({ field }) => field === wanted)?.message}
      placed={["policy", "name", "note"]}
    >
      <div>
        <span className="mb-1 block font-medium">Policy</span>
        <div className="h-60">
          <Suspense fallback={<Skeleton className="h-full" />}>
            <JsonEditor label="Policy" value={text} onChange={setText} describedBy={SAYS} problems={inPolicy} />
          </Suspense>
        </div>
        <Says isObject={policy !== null} problems={inPolicy} />
      </div>
    </VersionDialog>
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
