import { useBlocker } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { AlertDialog } from "./alert-dialog";

const ALWAYS = () => true;

/**
 * Asks before what was filled in is lost: on the way to another page, where the window is closed (in the browser's own
 * words), and where `leave` is called in the place of `close`. The warning is a form: it stands outside the other one.
 */
export function useUnsavedWarning(isChanged: boolean, close?: () => void): { leave: () => void; warning: ReactNode } {
  const [isAsked, ask] = useState(false);
  const blocker = useBlocker({
    shouldBlockFn: ALWAYS,
    enableBeforeUnload: isChanged,
    disabled: !isChanged,
    withResolver: true,
  });
  const stay = () => {
    blocker.reset?.();
    ask(false);
  };
  const warning = (
    <AlertDialog
      open={isAsked || blocker.status === "blocked"}
      onOpenChange={(open) => !open && stay()}
      title="Leave without saving?"
      verb="Leave"
      kind="danger"
      onConfirm={blocker.proceed ?? close ?? stay}
    >
      <p>What you have filled in is not saved, and will be lost.</p>
    </AlertDialog>
  );
  return { leave: () => (isChanged ? ask(true) : close?.()), warning };
}
