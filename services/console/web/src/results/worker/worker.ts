import { type Asked, answer } from "./answer";

// Others' text is parsed and compared here, where it cannot keep the page from answering.
addEventListener("message", async ({ data }: MessageEvent<Asked>) => {
  try {
    postMessage({ answer: await answer(data) });
  } catch (error) {
    postMessage({ problem: String(error) });
  }
});
postMessage("ready");
