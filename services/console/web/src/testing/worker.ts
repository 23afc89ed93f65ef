import { type Asked, tell } from "@/results/worker/answer";

/** The worker of results, on the page's own thread: jsdom has none. */
export class FakeWorker {
  onmessage: (message: { data: unknown }) => void = () => undefined;
  constructor() {
    queueMicrotask(() => this.onmessage({ data: "ready" }));
  }
  async postMessage(asked: Asked): Promise<void> {
    try {
      for await (const data of tell(asked)) this.onmessage({ data });
    } catch (error) {
      this.onmessage({ data: { problem: String(error) } });
    }
  }
  terminate(): void {}
}
