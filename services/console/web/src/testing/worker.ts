import { type Asked, answer } from "@/results/worker/answer";

/** The worker of results, on the page's own thread: jsdom has none. */
export class FakeWorker {
  onmessage: (message: { data: unknown }) => void = () => undefined;
  constructor() {
    queueMicrotask(() => this.onmessage({ data: "ready" }));
  }
  postMessage(asked: Asked): void {
    answer(asked).then(
      (value) => this.onmessage({ data: { answer: value } }),
      (error) => this.onmessage({ data: { problem: String(error) } }),
    );
  }
  terminate(): void {}
}
