import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import { AgentNames, useReadAgentNames } from "@/api/agents";
import { meQuery } from "@/api/me";
import { useTheme } from "@/lib/use-theme";
import { LiveStream } from "@/live/live-stream";
import { createQueryClient } from "@/live/query-client";
import { router } from "./router";
import { SignIn } from "./SignIn";

const isLoginLink = () => location.pathname === "/login" || location.pathname.startsWith("/login/");

/** Take what signs in off the address, where it would stand in the history, and return the code of a login link. */
export function takeLoginCode(): string | null {
  if (!isLoginLink()) return null;
  const code = location.hash.slice(1);
  history.replaceState(history.state, "", "/login");
  return code || null;
}

type AppProps = {
  /** Code of the login link that led here. */
  loginCode?: string | null;
};

/** Root component: the page or, without a session, the sign-in form. */
export function App({ loginCode = null }: AppProps) {
  useTheme();
  const [isSignedOut, setSignedOut] = useState(isLoginLink);
  const [hasEnded, setEnded] = useState(false);
  const client = useMemo(() => {
    const created: QueryClient = createQueryClient(() => {
      setEnded(created.getQueryData(meQuery.queryKey) !== undefined); // else nobody was signed in
      setSignedOut(true);
    });
    return created;
  }, []);
  if (isSignedOut) {
    const signedIn = () => {
      client.clear();
      if (isLoginLink()) void router.navigate({ to: "/", replace: true });
      setSignedOut(false);
    };
    return <SignIn loginCode={isLoginLink() ? loginCode : null} hasEnded={hasEnded} onSignedIn={signedIn} />;
  }
  return (
    <QueryClientProvider client={client}>
      <Live client={client} />
      <WithAgentNames>
        <RouterProvider router={router} />
      </WithAgentNames>
    </QueryClientProvider>
  );
}

function WithAgentNames({ children }: { children: ReactNode }) {
  return <AgentNames value={useReadAgentNames()}>{children}</AgentNames>;
}

function Live({ client }: { client: QueryClient }) {
  useEffect(() => new LiveStream(client).start(), [client]);
  return null;
}
