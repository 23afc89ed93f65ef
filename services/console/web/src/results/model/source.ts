import { buildAddress } from "@/api/client";

/** Log entry that holds a result. */
export type Source = { jobId: string; version: number };

export const toPath = ({ jobId, version }: Source) => ({ job_id: jobId, version: String(version) });

export const RESULT_PATH = "/api/jobs/{job_id}/logs/{version}/result";

/** Build the address that downloads a result as it is stored. */
export const buildDownloadAddress = (source: Source) =>
  buildAddress(RESULT_PATH, { path: toPath(source), query: { download: 1 } });

/** Build the address of a result as an HTML document that runs no script and fetches nothing. */
export const buildHtmlAddress = (source: Source) =>
  buildAddress("/api/jobs/{job_id}/logs/{version}/html", { path: toPath(source) });

/** Build the address that downloads a signed statement about the verdict in a log entry. */
export const buildReceiptAddress = ({ jobId, version }: Source) =>
  buildAddress("/api/jobs/{job_id}/receipt", { path: { job_id: jobId }, query: { version } });
