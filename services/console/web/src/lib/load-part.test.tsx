import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { useForm } from "react-hook-form";
import { beforeEach, expect, it, vi } from "vitest";
import { server } from "@/testing/server";
import { useKeptForm, useKeptState } from "./kept";
import { loadPart, reachable } from "./load-part";

const ICON = "http://signoff.test/icon.svg";
const reload = vi.fn();

beforeEach(() => {
  sessionStorage.clear();
  reload.mockReset();
  reachable.set(true);
  vi.stubGlobal("location", { pathname: "/new", origin: location.origin, href: location.href, reload });
  server.use(http.get(ICON, () => new HttpResponse("<svg/>")));
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  return () => vi.useRealTimers();
});

/** Let the server not answer so many times, and then answer. */
function beAway(times: number): void {
  let left = times;
  server.use(http.get(ICON, () => (left-- > 0 ? HttpResponse.error() : new HttpResponse("<svg/>"))));
}

it("asks for nothing while the console is away, and loads once it answers", async () => {
  beAway(2);
  reachable.set(false);
  const load = vi.fn(async () => "the part");
  const loading = loadPart(load);
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  expect(load).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(2_000);
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await loading).toBe("the part");
  expect(load).toHaveBeenCalledOnce();
});

it("loads a part again that failed in an outage which nobody had noticed", async () => {
  const load = vi.fn(async () => "the part").mockRejectedValueOnce(new TypeError("Failed to fetch"));
  expect(await loadPart(load)).toBe("the part");
  expect(reload).not.toHaveBeenCalled();
});

it("loads the page anew, once, for a part that is not there any more", async () => {
  const load = () => Promise.reject(new TypeError("Failed to fetch /assets/JobPage-old.js"));
  void loadPart(load);
  await vi.waitFor(() => expect(reload).toHaveBeenCalledOnce());
  await expect(loadPart(load)).rejects.toThrow("JobPage-old");
  expect(reload).toHaveBeenCalledOnce();
});

function Form() {
  const form = useForm({ defaultValues: { title: "", payload: "" } });
  useKeptForm("form", form);
  const [note, setNote] = useKeptState("note", "");
  return (
    <>
      <input aria-label="Title" {...form.register("title")} />
      <input aria-label="Note" value={note} onChange={(event) => setNote(event.target.value)} />
      <p>{form.formState.isDirty ? "changed" : "as it was"}</p>
    </>
  );
}

it("keeps what was filled in when it loads the page anew, and not otherwise", async () => {
  vi.useRealTimers();
  const user = userEvent.setup();
  render(<Form />);
  await user.type(screen.getByLabelText("Title"), "Half a title");
  await user.type(screen.getByLabelText("Note"), "and a note");
  void loadPart(() => Promise.reject(new TypeError("gone")));
  await vi.waitFor(() => expect(reload).toHaveBeenCalledOnce());
  cleanup();
  render(<Form />);
  expect(await screen.findByDisplayValue("Half a title")).toBeVisible();
  expect(screen.getByLabelText("Note")).toHaveValue("and a note");
  expect(screen.getByText("changed")).toBeVisible();
  cleanup();
  render(<Form />);
  expect(screen.getByLabelText("Title")).toHaveValue("");
});
