import type { Hold, Kept, Retention, RetentionEffect } from "@/api/types";

const AT = "2026-11-25T00:00:00Z";

export function aRetention(fields: Partial<Retention> = {}): Retention {
  return { name: "tenant:press", completed_s: 7_776_000, failed_s: 15_552_000, version: 2, updated_at: AT, ...fields };
}

export function aKept(fields: Partial<Kept> = {}): Kept {
  return {
    at: AT,
    is_on: true,
    database_bytes: 8_241_152_000,
    tables: [{ name: "job_logs", bytes: 5_100_273_664, rows: 6_210_000 }],
    jobs: [{ tenant: "press", status: "COMPLETED", count: 812_000, oldest_at: AT, by_age: [0, 0, 0, 0, 694_400] }],
    removed: 12_000,
    uncut: 40,
    holds: 2,
    archive: { is_configured: true, bytes: 912_004_210, parts: 1_440, newest_at: AT, behind: 120, checkpoint: 0 },
    topics: [{ topic: "job-changed", bytes: 1_209_021_440 }],
    growth: { days: 7, jobs_per_day: 1_200, database_bytes_per_day: 9_830_400, archive_bytes_per_day: 1_310_720 },
    next: [{ tenant: "press", kind: "COMPLETED", at: AT, due: 12 }],
    kept_back: [],
    ...fields,
  };
}

export function anEffect(fields: Partial<RetentionEffect> = {}): RetentionEffect {
  return { jobs: 0, counts: {}, has_more: false, operations: 0, bytes: 0, sample: [], ...fields };
}

export function aHold(fields: Partial<Hold> = {}): Hold {
  return { job_id: "poem", actor: "token:eve", reason: "an audit", created_at: AT, ...fields };
}
