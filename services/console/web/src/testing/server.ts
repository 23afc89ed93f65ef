import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import type { Job, JobLog } from "@/api/types";
import { aMe } from "./callers";
import { anAgent } from "./factories";

const BASE = "http://signoff.test";

export const server = setupServer(
  http.get(`${BASE}/api/agents`, () =>
    HttpResponse.json({ items: [anAgent(), anAgent({ id: "ocr", name: "ocr" })], next_page_token: null }),
  ),
  http.get(`${BASE}/api/me`, () => HttpResponse.json(aMe())),
  http.get(`${BASE}/api/holds`, () => HttpResponse.json({ items: [] })),
  http.get(`${BASE}/api/tenants`, () => HttpResponse.json({ items: [{ name: "default" }] })),
  http.get(`${BASE}/api/jobs/:id/waiting`, () => HttpResponse.json({ reasons: [] })),
  http.get(`${BASE}/api/job-counts`, () => HttpResponse.json({ counts: {}, capped_at: 10_000 })),
  http.post(`${BASE}/api/criteria/lint`, () => HttpResponse.json({ warnings: [] })),
  http.get(`${BASE}/api/job-facets`, () => HttpResponse.json({ facets: [], capped_at: 10_000 })),
);

/** Serve a job and its log; return the queries of the log's requests. */
export const serveJob = (job: Job, logs: JobLog[] = []): URLSearchParams[] => {
  const asked: URLSearchParams[] = [];
  server.use(
    http.get(`${BASE}/api/jobs/${job.id}`, () => HttpResponse.json(job)),
    http.get(`${BASE}/api/jobs/${job.id}/logs`, ({ request }) => {
      const query = new URL(request.url).searchParams;
      asked.push(query);
      return HttpResponse.json(pageOf(logs, query));
    }),
  );
  return asked;
};

/** Return a page of a log as the console does. */
function pageOf(logs: readonly JobLog[], query: URLSearchParams) {
  const isDescending = query.get("newest_first") === "true";
  const kinds = query.getAll("kind");
  const end = isDescending ? Number.POSITIVE_INFINITY : 0;
  const bound = Number(query.get("page_token") || query.get("from_version") || end);
  const found = logs
    .filter(({ version }) => (isDescending ? version <= bound : version >= bound))
    .filter(({ kind }) => kinds.length === 0 || kinds.includes(kind ?? ""))
    .toSorted((a, b) => (a.version - b.version) * (isDescending ? -1 : 1));
  const limit = Number(query.get("page_size") ?? 100);
  const bodies =
    query.get("view") !== "full"
      ? { request: null, payload: null, before: null, after: null, result: null, verdict: null, partial: null }
      : {};
  const items = found.slice(0, limit).map((log) => ({ ...log, ...bodies }));
  return { items, next_page_token: found[limit] ? String(found[limit].version) : null };
}

/** Serve a list of jobs; return the addresses of its requests. */
export function serveJobs(...pages: Job[][]): URL[] {
  const asked: URL[] = [];
  server.use(
    http.get(`${BASE}/api/jobs`, ({ request }) => {
      const url = new URL(request.url);
      asked.push(url);
      const page = Number(url.searchParams.get("page_token") || 0);
      return HttpResponse.json({
        items: pages[page] ?? [],
        next_page_token: pages[page + 1] ? String(page + 1) : null,
      });
    }),
  );
  return asked;
}

type Answer = (request: Request) => Response | Promise<Response>;

type Verb = "get" | "post" | "put" | "patch" | "delete";

export const onPost = (path: string, answer: Answer) => on("post", path, answer);

/** Answer requests to a path; return them. */
export function on(verb: Verb, path: string, answer: Answer): Request[] {
  const asked: Request[] = [];
  server.use(
    http[verb](`${BASE}${path}`, ({ request }) => {
      asked.push(request.clone());
      return answer(request);
    }),
  );
  return asked;
}

export const json = (body: object, status = 200) => HttpResponse.json(body as Record<string, unknown>, { status });

export const problem = (status: number, code: string, detail: string, errors?: object[]) =>
  json({ type: "about:blank", title: "Refused", status, code, detail, request_id: "r-1", errors }, status);

export const items = (...all: object[]) => json({ items: all, next_page_token: null });
