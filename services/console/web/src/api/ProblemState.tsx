import { ErrorState } from "@/ui/display/states";
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
