import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import { ReadError } from "@/api/ProblemState";
import type { Focus, Quote } from "@/results/model/evidence";
import { RESULT_PATH, type Source, toPath } from "@/results/model/source";
import { Skeleton } from "@/ui/display/states";
import { TextView } from "./TextView";

type StoredViewProps = { source: Source; quotes: readonly Quote[]; focus: Focus | null };

/** Result as it is stored: the text in which the places of evidence are counted. */
export function StoredView({ source, quotes, focus }: StoredViewProps) {
  const stored = useQuery({
    queryKey: ["results", source],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) => api.text(RESULT_PATH, { path: toPath(source), signal }),
  });
  if (stored.data !== undefined) return <TextView text={stored.data} quotes={quotes} focus={focus} />;
  if (!stored.error) return <Skeleton className="h-40" />;
  return <ReadError error={stored.error} onRetry={() => void stored.refetch()} />;
}
