import { type FunctionComponent, Suspense, useEffect, useState } from "react";
import { loadPart } from "@/lib/load-part";
import { Loading, Skeleton } from "@/ui/display/states";

/**
 * Load a page's code when it is opened; a placeholder holds its place until then. React would hold back for 300 ms what
 * it suspended: a page is there as soon as its code is.
 */
export function lazyPage<Props extends object>(
  load: () => Promise<FunctionComponent<Props>>,
): FunctionComponent<Props> {
  let loaded: FunctionComponent<Props> | undefined;
  return (props) => {
    const [Page, setPage] = useState(() => loaded);
    useEffect(() => {
      if (Page) return;
      const show = (page: FunctionComponent<Props>) => {
        loaded = page;
        setPage(() => page);
      };
      const fail = (error: Error) =>
        setPage(() => {
          throw error; // for the page of errors
        });
      void loadPart(load).then(show, fail);
    }, [Page]);
    return Page ? (
      <Suspense fallback={<PagePlaceholder />}>
        <Page {...props} />
      </Suspense>
    ) : (
      <PagePlaceholder />
    );
  };
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
