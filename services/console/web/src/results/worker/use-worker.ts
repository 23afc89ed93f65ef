import { useEffect, useState } from "react";
import type { Asked, Kind, Work } from "./answer";
import { askWorker } from "./ask-worker";

type Answer<K extends Kind> = { value?: Work[K]["answer"]; problem?: Error };
const NONE = {};

/** Ask the worker for each new request, which is to stay the same between renders. */
export function useWorker<K extends Kind>(asked: Asked<K>): Answer<K> {
  const [answered, setAnswered] = useState<{ asked: Asked<K>; answer: Answer<K> }>();
  useEffect(() => {
    const control = new AbortController();
    const keep = (answer: Answer<K>) => !control.signal.aborted && setAnswered({ asked, answer });
    askWorker(asked, control.signal).then(
      (value) => keep({ value }),
      (problem: Error) => keep({ problem }),
    );
    return () => control.abort();
  }, [asked]);
  return answered?.asked === asked ? answered.answer : NONE;
}
