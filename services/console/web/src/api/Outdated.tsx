import { useQuery } from "@tanstack/react-query";
import { stringifyJson } from "@/lib/exact-json";
import { makePatch } from "@/lib/merge-patch";
import { Button } from "@/ui/controls/button";
import { ProblemState } from "./ProblemState";
import { toApiError } from "./problem";

type Versioned = { version: number; updated_at: string };

/** Whether a write was refused since what it is about has another version (`If-Match`). */
export const isOutdated = (error: Error | null): boolean => error !== null && toApiError(error).status === 412;

type OutdatedProps<T extends Versioned> = {
  /** What it is, and as it was when the form was opened. */
  name: string;
  base: T;
  read: () => Promise<T>;
  /** Goes on from the newest state. */
  onLoad: (newest: T) => void;
};

/** Warning that something has changed since its form was opened: the values that it has now, and a way to load them. */
export function Outdated<T extends Versioned>({ name, base, read, onLoad }: OutdatedProps<T>) {
  const newest = useQuery({ queryKey: ["newest", name, base.version], queryFn: read, gcTime: 0, retry: false });
  if (newest.error) return <ProblemState error={newest.error} />;
  const { version: _, updated_at: __, ...theirs } = newest.data ? makePatch(base, newest.data) : {};
  return (
    <div role="alert" className="space-y-2 rounded border border-resubmit bg-resubmit-tint p-3">
      <p className="font-medium text-resubmit">{name} has changed meanwhile; nothing was saved.</p>
      {newest.data && Object.keys(theirs).length === 0 && <p>What it says is the same.</p>}
      {Object.entries(theirs).map(([field, value]) => (
        <pre key={field} className="max-h-40 overflow-auto font-mono text-xs break-words whitespace-pre-wrap">
          {field}: {value === null ? "no longer set" : stringifyJson(value, 2)}
        </pre>
      ))}
      <p>Loading this keeps what you have changed here, and takes the rest as it is now.</p>
      <Button size="small" unavailable={!newest.data} onClick={() => newest.data && onLoad(newest.data)}>
        Load
      </Button>
    </div>
  );
}
