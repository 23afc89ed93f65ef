import type { QueryClient } from "@tanstack/react-query";
import { meQuery } from "@/api/me";
import type { JobChange } from "@/api/types";
import { applyJobs, refetchJobs, retryFailed } from "./apply-changes";
import { ChangeBuffer, type Changes } from "./change-buffer";
import { liveStatus } from "./live-status";

export const SILENCE_MAX_MS = 40_000;
export const HIDDEN_MAX_MS = 60_000;
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 30_000;
const RESET_SPREAD_MS = 2_000;
export const POLL_AFTER_MS = 10_000;
const POLL_MS = 15_000;

export type Source = Pick<EventSource, "addEventListener" | "close" | "onopen" | "onerror">;
export type Open = (address: string) => Source;

/**
 * The one event stream of this tab. It is closed while the tab is hidden for long (a browser allows six connections to
 * an origin), and reconnects after an error or silence. It always resumes after the last event received.
 */
export class LiveStream {
  private source: Source | undefined;
  private cursor: number | undefined;
  private failures = 0;
  private downSince: number | undefined;
  private hiddenAt: number | undefined;
  private silence: Timer;
  private retry: Timer;
  private pause: Timer;
  private poll: Timer;
  private readonly buffer: ChangeBuffer;

  constructor(
    private readonly client: QueryClient,
    private readonly open: Open = (address) => new EventSource(address),
  ) {
    this.buffer = new ChangeBuffer((changes) => this.applyBuffered(changes));
  }

  start(): () => void {
    document.addEventListener("visibilitychange", this.onVisibility);
    liveStatus.set({ state: "connecting" });
    this.connect();
    return () => this.stop();
  }

  private stop(): void {
    document.removeEventListener("visibilitychange", this.onVisibility);
    clearTimeout(this.pause);
    this.stopPolling();
    this.disconnect();
    this.buffer.close();
  }

  private connect(): void {
    this.disconnect();
    const source = this.open(this.cursor === undefined ? "/api/events" : `/api/events?after=${this.cursor}`);
    this.source = source;
    source.onopen = () => this.onConnected();
    source.onerror = () => this.onFailed();
    source.addEventListener("hello", (event) => void this.onHello(read(event)));
    source.addEventListener("job-changed", (event) => this.onChange(read(event)));
    source.addEventListener("ping", (event) => this.onPing(read(event)));
    source.addEventListener("reset", (event) => this.onReset(read(event)));
    this.restartSilenceTimer();
  }

  private disconnect(): void {
    clearTimeout(this.silence);
    clearTimeout(this.retry);
    this.source?.close();
    this.source = undefined;
  }

  private onConnected(): void {
    this.failures = 0;
    if (this.downSince !== undefined) retryFailed(this.client);
    this.downSince = undefined;
    this.stopPolling();
    if (this.cursor !== undefined) liveStatus.set({ state: "live" }); // a first stream is live after its "hello"
    this.restartSilenceTimer();
  }

  private onFailed(): void {
    this.disconnect();
    const longestMs = Math.min(BACKOFF_FIRST_MS * 2 ** this.failures, BACKOFF_MAX_MS);
    const wait = longestMs * (0.5 + Math.random() / 2);
    // No event tells why a stream ends: where the session did, the answer to who one is leads to the sign-in.
    void this.client.refetchQueries({ queryKey: meQuery.queryKey });
    this.failures += 1;
    this.downSince ??= Date.now();
    if (this.poll === undefined) this.pollAfter(POLL_AFTER_MS);
    liveStatus.set({ state: "reconnecting", retryAt: Date.now() + wait, since: this.downSince });
    this.retry = setTimeout(() => this.connect(), wait);
  }

  /** Poll what is shown while there are no events. */
  private pollAfter(ms: number): void {
    this.poll = setTimeout(() => {
      void refetchJobs(this.client);
      this.pollAfter(POLL_MS);
    }, ms);
  }

  private stopPolling(): void {
    clearTimeout(this.poll);
    this.poll = undefined;
  }

  /** Restart the timer that ends a silent stream: it is dead, whatever the browser believes. */
  private restartSilenceTimer(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.onFailed(), SILENCE_MAX_MS);
  }

  private onHeard(cursor: number | undefined): void {
    if (cursor !== undefined) this.cursor = cursor;
    liveStatus.recordEvent(Date.now());
    this.restartSilenceTimer();
  }

  /** Refetch what was read before the stream began, which may have missed changes; only then is the page live. */
  private async onHello({ cursor }: { cursor: number }): Promise<void> {
    this.onHeard(cursor);
    await refetchJobs(this.client);
    if (liveStatus.get().state === "connecting") liveStatus.set({ state: "live" });
  }

  private onPing({ cursor, jobstore, database, remedy = "" }: Ping): void {
    this.onHeard(cursor);
    const { state } = liveStatus.get();
    const isAway = state === "jobstore-away" || state === "database-away";
    if (state !== "live" && !isAway) return;
    if (jobstore === false) liveStatus.set({ state: "jobstore-away" });
    else if (database) liveStatus.set({ state: "database-away", problem: database, remedy });
    else if (jobstore === true && isAway) {
      liveStatus.set({ state: "live" });
      retryFailed(this.client);
      void refetchJobs(this.client); // requests in between were answered by errors
    }
  }

  private onChange(change: JobChange): void {
    this.onHeard(change.cursor);
    this.buffer.add(change);
  }

  private onReset({ cursor }: { cursor: number }): void {
    this.buffer.clear();
    this.onHeard(cursor);
    setTimeout(() => void refetchJobs(this.client), Math.random() * RESET_SPREAD_MS); // not all tabs at once
  }

  private applyBuffered({ byJob, overflowed }: Changes): void {
    if (overflowed) void refetchJobs(this.client);
    else applyJobs(this.client, byJob);
  }

  private readonly onVisibility = (): void => {
    clearTimeout(this.pause);
    if (document.visibilityState === "hidden") {
      this.hiddenAt = Date.now();
      this.pause = setTimeout(() => {
        this.disconnect();
        this.stopPolling();
        liveStatus.set({ state: "paused" });
      }, HIDDEN_MAX_MS);
      return;
    }
    this.buffer.flush();
    // A tab that was frozen may still believe in a connection that is long gone.
    const wasAway = this.hiddenAt !== undefined && Date.now() - this.hiddenAt > SILENCE_MAX_MS;
    if (wasAway || this.source === undefined) this.connect();
    this.hiddenAt = undefined;
  };
}

/** What the console says every few seconds: whether the jobstore answers, and why it cannot write, if it cannot. */
type Ping = { cursor?: number; jobstore?: boolean; database?: string; remedy?: string };

type Timer = ReturnType<typeof setTimeout> | undefined;

function read<T>(event: Event): T {
  return JSON.parse((event as MessageEvent<string>).data) as T;
}
