import type { JobChange } from "@/api/types";

const JOBS_MAX = 2_000;
const HIDDEN_FLUSH_MS = 250;

export type Changes = { byJob: Map<string, JobChange[]>; overflowed: boolean };

/**
 * Buffer of changes until the page can draw again: a frame while it is visible, a timer while it is not
 * (frames stop in a hidden tab). Repeats are dropped, and changes of a job are put in order.
 */
export class ChangeBuffer {
  private byJob = new Map<string, JobChange[]>();
  private overflowed = false;
  private cancel: (() => void) | undefined;

  constructor(private readonly onFlush: (changes: Changes) => void) {}

  add(change: JobChange): void {
    const changes = this.byJob.get(change.job_id);
    if (changes) insert(changes, change);
    else if (this.byJob.size < JOBS_MAX) this.byJob.set(change.job_id, [change]);
    else this.overflowed = true;
    this.cancel ??= schedule(() => this.flush());
  }

  flush(): void {
    this.cancel?.();
    this.cancel = undefined;
    if (this.byJob.size === 0 && !this.overflowed) return;
    const changes = { byJob: this.byJob, overflowed: this.overflowed };
    this.clear();
    this.onFlush(changes);
  }

  clear(): void {
    this.byJob = new Map();
    this.overflowed = false;
  }

  close(): void {
    this.cancel?.();
    this.cancel = undefined;
    this.clear();
  }
}

/** Insert a change in the order of versions, each version once. */
function insert(changes: JobChange[], change: JobChange): void {
  let place = changes.length;
  while (place > 0 && (changes[place - 1] as JobChange).version > change.version) place -= 1;
  if (changes[place - 1]?.version !== change.version) changes.splice(place, 0, change);
}

function schedule(flush: () => void): () => void {
  if (document.visibilityState === "visible") {
    const frame = requestAnimationFrame(flush);
    return () => cancelAnimationFrame(frame);
  }
  const timer = setTimeout(flush, HIDDEN_FLUSH_MS);
  return () => clearTimeout(timer);
}
