import { useBlocker } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { isLoadingAnew } from "@/lib/load-part";
import { AlertDialog } from "./alert-dialog";

const ALWAYS = () => true;

/**
 * Ask before filled-in values are lost: on navigation, on closing the window (in the browser's own words), and when
 * `leave` is called in place of `close`. The warning contains a form, so it must be rendered outside the other one.
 */
export function useUnsavedWarning(isChanged: boolean, close?: () => void): { leave: () => void; warning: ReactNode } {
  const [isWarning, setWarning] = useState(false);
  const blocker = useBlocker({
    shouldBlockFn: ALWAYS,
    enableBeforeUnload: () => isChanged && !isLoadingAnew(),
    disabled: !isChanged,
    withResolver: true,
  });
  const stay = () => {
    blocker.reset?.();
    setWarning(false);
  };
  const warning = (
    <AlertDialog
      open={isWarning || blocker.status === "blocked"}
      onOpenChange={(open) => !open && stay()}
      title="Leave without saving?"
      verb="Leave"
      kind="danger"
      onConfirm={blocker.proceed ?? close ?? stay}
    >
      <p>What you have filled in is not saved, and will be lost.</p>
    </AlertDialog>
  );
  return { leave: () => (isChanged ? setWarning(true) : close?.()), warning };
}
