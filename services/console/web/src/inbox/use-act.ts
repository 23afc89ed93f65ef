import { useState } from "react";

type State = { isPending?: true; isSuccess?: true; error?: Error };

/** Act on a request, and tell how it goes. As a mutation of the library, which the first page has no room for. */
export function useAct<Variables>(send: (variables: Variables) => Promise<unknown>) {
  const [state, setState] = useState<State>({});
  const mutate = (variables: Variables) => {
    setState({ isPending: true });
    send(variables).then(
      () => setState({ isSuccess: true }),
      (error: Error) => setState({ error }),
    );
  };
  return { ...state, error: state.error ?? null, mutate };
}
