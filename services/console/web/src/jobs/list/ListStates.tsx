import { toApiError } from "@/api/problem";
import { Button } from "@/ui/controls/button";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/display/states";

type ListErrorProps = { error: Error; onRetry: () => void; onClear: () => void };
const INVALID = 422;

/** Error in place of the list; when the filter is refused, a button clears it. */
export function ListError({ error, onRetry, onClear }: ListErrorProps) {
  const { status, title, detail, code, requestId, fields } = toApiError(error);
  const said = fields.map(({ field, message }) => `${field}: ${message}`).join("; ");
  const isInvalid = status === INVALID;
  return (
    <div className="space-y-3 p-4">
      <ErrorState
        title={title}
        detail={said || detail}
        code={code}
        requestId={requestId}
        onRetry={isInvalid ? undefined : onRetry}
      />
      {isInvalid && <Button onClick={onClear}>Clear the filters</Button>}
    </div>
  );
}

export function RowPlaceholders() {
  return (
    <Loading what="jobs">
      {["a", "b", "c", "d", "e", "f", "g", "h"].map((key) => (
        <div key={key} className="flex h-10 items-center border-b px-3">
          <Skeleton className="h-4 w-full" />
        </div>
      ))}
    </Loading>
  );
}

export function EmptyList({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  return isFiltered ? (
    <EmptyState title="No job matches" action={<Button onClick={onClear}>Clear the filters</Button>}>
      <p>Remove a filter, or look further back in time.</p>
    </EmptyState>
  ) : (
    <EmptyState title="No jobs yet">
      <p>
        Create one here, or run <code className="font-mono">signoff demo</code>.
      </p>
    </EmptyState>
  );
}
