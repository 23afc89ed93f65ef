import type { ReactNode } from "react";
import { ErrorState, Loading } from "@/ui/display/states";
import { useAgentNames } from "./agents";
import { findField } from "./field-errors";
import { toApiError } from "./problem";

/** Message of an API error, with the names of agents. Errors that the form shows at its fields (`placed`) are not repeated. */
export function ProblemState({ error, placed = [] }: { error: Error | null; placed?: readonly string[] }) {
  const { nameAllIn } = useAgentNames();
  if (!error) return null;
  const { title, detail, code, requestId, fields } = toApiError(error);
  const others = fields.filter(({ field }) => findField(field, placed) === undefined);
  const rest = others.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join("; ");
  const isPlaced = fields.length > 0 && others.length === 0;
  return (
    <ErrorState
      title={isPlaced ? "The form has an error" : title}
      detail={isPlaced ? "See the messages beside the fields." : nameAllIn(rest || detail)}
      code={code}
      requestId={requestId}
    />
  );
}

type Reading = { isPending: boolean; error: Error | null; data: unknown; refetch: () => unknown };
type ReadStateProps = { query: Reading; what: string; children?: ReactNode };

/** Placeholder of what is being read, or why it cannot be; nothing once there is something to show. */
export function ReadState({ query, what, children }: ReadStateProps) {
  const { isPending, error, data, refetch } = query;
  if (isPending) return <Loading what={what}>{children}</Loading>;
  return error && data === undefined && <ReadError error={error} onRetry={() => void refetch()} />;
}

/** Error in place of what cannot be read, with a button that asks for it again. */
export function ReadError({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { title, detail, code, requestId } = toApiError(error);
  return <ErrorState title={title} detail={detail} code={code} requestId={requestId} onRetry={onRetry} />;
}
