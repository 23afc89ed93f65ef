import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import { AgentNames, useReadAgentNames } from "@/api/agents";
import { useTheme } from "@/lib/use-theme";
import { LiveStream } from "@/live/live-stream";
import { createQueryClient } from "@/live/query-client";
import { router } from "./router";
import { SignIn } from "./SignIn";

/** Whether a link with a token led here. The console answers it with the page only when it refuses the token. */
const isLoginLink = () => location.pathname === "/login";

/** Root component: the page or, without a session, the sign-in form. */
export function App() {
  useTheme();
  const [isSignedOut, setSignedOut] = useState(isLoginLink);
  const client = useMemo(() => createQueryClient(() => setSignedOut(true)), []);
  if (isSignedOut) {
    const signedIn = () => {
      client.clear();
      if (isLoginLink()) void router.navigate({ to: "/", search: {}, replace: true });
      setSignedOut(false);
    };
    return <SignIn isRefused={isLoginLink() && location.search.includes("token=")} onSignedIn={signedIn} />;
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
