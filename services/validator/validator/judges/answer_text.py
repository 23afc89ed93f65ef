"""Find the judge's answer in what it wrote. Pure."""


def find_answer(text: str) -> str:
    """Return the JSON object that a text is, alone in a code fence or after the model's thoughts; else the text itself.

    Words around an object are never passed over: a judge that quotes a verdict which it found in the result has given
    none itself. What is ambiguous stays what it is, which is no JSON.
    """
    answer = text.strip()
    if answer.startswith("{"):
        return answer
    if answer.count("</think>") == 1:
        thought, _, after = answer.partition("</think>")
        if thought.rfind("<think>") <= 0:  # the template may have written the opening one
            answer = after.strip()
    if answer.startswith("```") and answer.endswith("```"):
        language, _, inside = answer[3:-3].partition("\n")
        if language.strip().casefold() in {"", "json"}:
            answer = inside.strip()
    return answer
