import { type FormEvent, useEffect, useRef, useState } from "react";
import { type ApiError, toApiError } from "@/api/problem";
import { buildSignInAddress, isMistyped, readSignIn, signIn, spendLoginCode } from "@/api/session";
import { useTitle } from "@/lib/use-title";
import { Button, ButtonLink } from "@/ui/controls/button";
import { Field, Input } from "@/ui/controls/field";
import { ErrorState } from "@/ui/display/states";

const MISTYPED = "A character of this token is wrong, or some are missing: copy it whole.";

type SignInProps = {
  /** Code of the login link that led here, which is spent at once. */
  loginCode?: string | null;
  /** Whether one was signed in until now. */
  hasEnded?: boolean;
  onSignedIn: () => void;
};

/** Sign-in form: leads to the provider of identities, if there is one, or asks for a token, then continues to the page that was requested. */
export function SignIn({ loginCode = null, hasEnded = false, onSignedIn }: SignInProps) {
  useTitle("Sign in");
  const [token, setToken] = useState("");
  const [error, setError] = useState<ApiError | null>(null);
  const [isWrong, setWrong] = useState(false);
  const [linkError, setLinkError] = useState<ApiError | null>(null);
  const [{ provider, problem }] = useState(readSignIn);
  const [isSpending, setSpending] = useState(loginCode !== null);
  const spent = useRef(false);
  useEffect(() => {
    if (loginCode === null || spent.current) return;
    spent.current = true;
    spendLoginCode(loginCode)
      .then(onSignedIn, (reason) => setLinkError(toApiError(reason)))
      .finally(() => setSpending(false));
  }, [loginCode, onSignedIn]);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setError(null);
    setLinkError(null);
    setWrong(isMistyped(token));
    if (isMistyped(token)) return;
    try {
      await signIn(token);
      onSignedIn();
    } catch (reason) {
      setError(toApiError(reason));
    }
  };
  return (
    <main className="mx-auto max-w-md space-y-4 px-4 py-16">
      <h1 className="text-xl font-semibold">Sign in to Signoff</h1>
      {hasEnded && <p role="status">Your session has ended, here or elsewhere. Sign in again to go on.</p>}
      {problem && !error && <ErrorState title="The sign-in did not succeed" detail={problem} />}
      {provider && (
        <ButtonLink kind="primary" href={buildSignInAddress(location)}>
          Sign in with {provider}
        </ButtonLink>
      )}
      <p className="text-muted">
        Open the link that <code className="font-mono">signoff up</code> or{" "}
        <code className="font-mono">signoff login-link</code> printed, or enter a token here. It is kept in a cookie
        that no script can read.
      </p>
      {isSpending && <p role="status">Signing in by the link.</p>}
      {linkError?.isUnauthenticated && (
        <ErrorState
          title="This link does not sign in any more"
          detail="It works once, for a quarter of an hour. Get another by `signoff login-link`, or enter a token."
        />
      )}
      {linkError && !linkError.isUnauthenticated && (
        <ErrorState title={linkError.title} detail={linkError.detail} code={linkError.code} />
      )}
      <form onSubmit={submit} className="space-y-4">
        <Field
          label="Token"
          error={isWrong ? MISTYPED : error?.isUnauthenticated ? "The jobstore does not know this token." : undefined}
        >
          {(control) => (
            <Input
              {...control}
              type="password"
              autoComplete="current-password"
              required
              value={token}
              onChange={(event) => setToken(event.target.value)}
            />
          )}
        </Field>
        {error && !error.isUnauthenticated && (
          <ErrorState title={error.title} detail={error.detail} code={error.code} />
        )}
        <Button type="submit" kind={provider ? "plain" : "primary"}>
          {provider ? "Sign in with the token" : "Sign in"}
        </Button>
      </form>
    </main>
  );
}
