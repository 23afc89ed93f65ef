import { useEffect, useMemo, useState } from "react";
import { ANSWERS_KEPT } from "@/results/model/limits";
import type { Asked, Kind, Work } from "./answer";
import { askWorker } from "./ask-worker";

type Answer<K extends Kind> = { value?: Work[K]["answer"]; problem?: Error };
const NONE = {};

/** The newest answers by what was asked: another view, and the way back, ask for the same again. */
const answers = new Map<string, Work[Kind]["answer"]>();

function keepAnswer(asked: string, answer: Work[Kind]["answer"]): void {
  answers.set(asked, answer);
  for (const oldest of answers.keys()) {
    if (answers.size <= ANSWERS_KEPT) break;
    answers.delete(oldest);
  }
}

/** Ask the worker for each new request, which is to stay the same between renders. How a long document begins is there before. */
export function useWorker<K extends Kind>(asked: Asked<K>): Answer<K> {
  const [answered, setAnswered] = useState<{ asked: Asked<K>; answer: Answer<K> }>();
  const text = useMemo(() => JSON.stringify(asked), [asked]);
  const known = answers.get(text) as Work[K]["answer"] | undefined;
  useEffect(() => {
    if (answers.has(text)) return;
    const control = new AbortController();
    const keep = (answer: Answer<K>) => !control.signal.aborted && setAnswered({ asked, answer });
    askWorker(asked, control.signal, (value) => keep({ value })).then(
      (value) => {
        keepAnswer(text, value);
        keep({ value });
      },
      (problem: Error) => keep({ problem }),
    );
    return () => control.abort();
  }, [asked, text]);
  if (known) return { value: known };
  return answered?.asked === asked ? answered.answer : NONE;
}
