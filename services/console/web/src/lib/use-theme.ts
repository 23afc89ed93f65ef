import { useEffect } from "react";
import { useStoredChoice } from "./stored-choice";
import { useMedia } from "./use-media";

export type Theme = "system" | "light" | "dark";
const SYSTEM: Theme = "system";

/** Apply the theme, as chosen or the system's, and return the choice with its setter. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useStoredChoice<Theme>("theme", SYSTEM);
  const isDark = useMedia("(prefers-color-scheme: dark)");
  useEffect(() => {
    document.documentElement.dataset.theme = theme === "system" ? (isDark ? "dark" : "light") : theme;
  }, [theme, isDark]);
  return [theme, setTheme];
}
