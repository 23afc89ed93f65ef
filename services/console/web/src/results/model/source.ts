import { buildAddress } from "@/api/client";

/** Which entry of which job's log holds a result. */
export type Source = { jobId: string; version: number };

export const toPath = ({ jobId, version }: Source) => ({ job_id: jobId, version: String(version) });

export const RESULT_PATH = "/api/jobs/{job_id}/logs/{version}/result";

/** Where the console gives it away, byte by byte as it is stored. */
export const buildDownloadAddress = (source: Source) =>
  buildAddress(RESULT_PATH, { path: toPath(source), query: { download: 1 } });

/** Where the console shows it as a document that runs no script and fetches nothing. */
export const buildHtmlAddress = (source: Source) =>
  buildAddress("/api/jobs/{job_id}/logs/{version}/html", { path: toPath(source) });
