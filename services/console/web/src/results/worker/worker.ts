import { type Asked, tell } from "./answer";

// Others' text is parsed and compared here, where it cannot keep the page from answering.
addEventListener("message", async ({ data }: MessageEvent<Asked>) => {
  try {
    for await (const told of tell(data)) postMessage(told);
  } catch (error) {
    postMessage({ problem: String(error) });
  }
});
postMessage("ready");
