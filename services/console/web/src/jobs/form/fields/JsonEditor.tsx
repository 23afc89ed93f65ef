import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json, jsonParseLinter } from "@codemirror/lang-json";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { linter, lintGutter } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { getNonce } from "get-nonce";
import { useEffect, useRef } from "react";

type JsonEditorProps = { label: string; value: string; onChange: (text: string) => void; describedBy?: string };

const COLOURS = HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--text)", fontWeight: "500" },
  { tag: tags.string, color: "var(--completed-ink)" },
  { tag: tags.number, color: "var(--running-ink)" },
  { tag: [tags.bool, tags.null], color: "var(--rejected-ink)" },
]);

const THEME = EditorView.theme({
  "&": { height: "100%", fontSize: "12px", backgroundColor: "var(--surface)", color: "var(--text)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "18px" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--muted)", border: "none" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { background: "var(--running-tint) !important" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--text)", border: "1px solid var(--control)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--mark)", color: "var(--mark-ink)" },
});

const parse = jsonParseLinter();

/** Editor of JSON. Tab leaves it, as it does every field; an empty text is not checked. */
export default function JsonEditor({ label, value, onChange, describedBy }: JsonEditorProps) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef({ value, onChange });
  useEffect(() => {
    latest.current = { value, onChange };
    const shown = view.current?.state.doc.toString();
    if (shown !== undefined && shown !== value) {
      view.current?.dispatch({ changes: { from: 0, to: shown.length, insert: value } });
    }
  });
  useEffect(() => {
    if (!box.current) return;
    const editor = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          EditorView.cspNonce.of(getNonce() ?? ""),
          EditorView.contentAttributes.of({
            "aria-label": label,
            ...(describedBy && { "aria-describedby": describedBy }),
          }),
          lineNumbers(),
          lintGutter(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          json(),
          syntaxHighlighting(COLOURS),
          linter((shown) => (shown.state.doc.toString().trim() === "" ? [] : parse(shown))),
          keymap.of([...defaultKeymap, ...historyKeymap]),
          EditorView.lineWrapping,
          THEME,
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => editor.destroy();
  }, [label, describedBy]);
  return <div ref={box} className="h-full overflow-hidden rounded border border-control" />;
}
