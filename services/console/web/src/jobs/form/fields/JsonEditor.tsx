import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json, jsonParseLinter } from "@codemirror/lang-json";
import {
  bracketMatching,
  ensureSyntaxTree,
  HighlightStyle,
  indentOnInput,
  syntaxHighlighting,
} from "@codemirror/language";
import { linter, lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { getNonce } from "get-nonce";
import { useEffect, useRef } from "react";
import type { FieldError } from "@/api/problem";

type JsonEditorProps = {
  label: string;
  value: string;
  onChange: (text: string) => void;
  describedBy?: string;
  /** What is wrong with the value, by the path to it (`stages.0.kind`); marked until the text changes. */
  problems?: readonly FieldError[];
};

const NO_PROBLEMS: readonly FieldError[] = [];

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
export default function JsonEditor(props: JsonEditorProps) {
  const { label, value, onChange, describedBy, problems = NO_PROBLEMS } = props;
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef({ value, onChange });
  useEffect(() => {
    const before = latest.current.value;
    latest.current = { value, onChange };
    if (value === before) return; // what was typed since is told, but may not be rendered yet
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
            tabindex: "0", // it can have the focus anyway; where it scrolls, this says so
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
  const told = problems.map(({ field, message }) => `${field}\n${message}`).join("\n\n");
  const shownProblems = useRef(problems);
  useEffect(() => {
    shownProblems.current = problems;
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the same problems are told once, however often they are passed
  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const found = shownProblems.current.map(({ field, message }) => ({
      ...findPlace(editor.state, field),
      message,
      severity: "error" as const,
    }));
    editor.dispatch(setDiagnostics(editor.state, found));
  }, [told]);
  return <div ref={box} className="h-full overflow-hidden rounded border border-control" />;
}

const TREE_WITHIN_MS = 200;

type SyntaxNode = NonNullable<ReturnType<typeof ensureSyntaxTree>>["topNode"];

/** Find where the value at a path stands; of one that is not there, what it should stand in. */
function findPlace(state: EditorState, path: string): { from: number; to: number } {
  let node: SyntaxNode | null = ensureSyntaxTree(state, state.doc.length, TREE_WITHIN_MS)?.topNode.firstChild ?? null;
  for (const name of path === "" ? [] : path.split(".")) {
    const inside = node && findChild(state, node, name);
    if (!inside) break;
    node = inside;
  }
  return { from: node?.from ?? 0, to: node?.to ?? 0 };
}

function findChild(state: EditorState, node: SyntaxNode, name: string): SyntaxNode | null {
  if (node.name === "Array") return listItems(node)[Number(name)] ?? null;
  const property = node.getChildren("Property").find(({ firstChild }) => {
    return firstChild !== null && state.sliceDoc(firstChild.from, firstChild.to) === JSON.stringify(name);
  });
  return property?.lastChild ?? null;
}

/** List the values in an array; brackets and commas are nodes, too. */
function listItems(node: SyntaxNode): SyntaxNode[] {
  const items: SyntaxNode[] = [];
  for (let item = node.firstChild; item; item = item.nextSibling) {
    if (/^[A-Z]/.test(item.name)) items.push(item);
  }
  return items;
}
