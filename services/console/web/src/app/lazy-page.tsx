import { type FunctionComponent, lazy, Suspense } from "react";
import { loadPart } from "@/lib/load-part";
import { Loading, Skeleton } from "@/ui/display/states";

/** Load a page's code when it is opened; a placeholder holds its place until then. */
export function lazyPage<Props extends object>(
  load: () => Promise<FunctionComponent<Props>>,
): FunctionComponent<Props> {
  const Page = lazy(async () => ({ default: (await loadPart(load)) as FunctionComponent<object> }));
  return (props) => (
    <Suspense fallback={<PagePlaceholder />}>
      <Page {...props} />
    </Suspense>
  );
}

function PagePlaceholder() {
  return (
    <Loading what="the page">
      <div className="mx-auto max-w-7xl space-y-4 p-4">
        <Skeleton className="h-7 w-48" />
        <Skeleton className="h-40" />
      </div>
    </Loading>
  );
}
