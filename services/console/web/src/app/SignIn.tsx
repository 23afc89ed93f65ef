import { type FormEvent, useState } from "react";
import { type ApiError, toApiError } from "@/api/problem";
import { signIn } from "@/api/session";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/controls/button";
import { Field, Input } from "@/ui/controls/field";
import { ErrorState } from "@/ui/display/states";

type SignInProps = {
  /** Whether a link with a token led here, which the jobstore does not know. */
  isRefused?: boolean;
  onSignedIn: () => void;
};

/** Sign-in form: asks for a token, then continues to the page that was requested. */
export function SignIn({ isRefused = false, onSignedIn }: SignInProps) {
  useTitle("Sign in");
  const [token, setToken] = useState("");
  const [error, setError] = useState<ApiError | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setError(null);
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
      <p className="text-muted">
        Open the link that <code className="font-mono">signoff up</code> printed, or enter a token here. It is kept in a
        cookie that no script can read.
      </p>
      {isRefused && !error && (
        <ErrorState
          title="The token of this link is not valid"
          detail="It was mistyped or cut off, or Signoff has been set up again since. Open the newest link, or enter another token."
        />
      )}
      <form onSubmit={submit} className="space-y-4">
        <Field label="Token" error={error?.isUnauthenticated ? "The jobstore does not know this token." : undefined}>
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
        <Button type="submit" kind="primary">
          Sign in
        </Button>
      </form>
    </main>
  );
}
