import type { Source } from "@/live/live-stream";

/** Event stream whose events a test sends. */
export class FakeEventSource implements Source {
  static opened: FakeEventSource[] = [];
  onopen: Source["onopen"] = null;
  onerror: Source["onerror"] = null;
  isClosed = false;
  private readonly listeners = new Map<string, ((event: Event) => void)[]>();

  constructor(readonly address: string) {
    FakeEventSource.opened.push(this);
  }

  static get last(): FakeEventSource {
    return FakeEventSource.opened.at(-1) as FakeEventSource;
  }

  addEventListener(name: string, listener: unknown): void {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener as (event: Event) => void]);
  }

  close(): void {
    this.isClosed = true;
  }

  emitOpen(): void {
    this.onopen?.call(this as unknown as EventSource, new Event("open"));
  }

  emitError(): void {
    this.onerror?.call(this as unknown as EventSource, new Event("error"));
  }

  emit(name: string, data: object): void {
    if (this.isClosed) return;
    const event = new MessageEvent(name, { data: JSON.stringify(data) });
    for (const listener of this.listeners.get(name) ?? []) listener(event);
  }
}
