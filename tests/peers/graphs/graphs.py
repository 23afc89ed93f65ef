"""Graphs without any model, which a server of LangGraph runs: each does what its last message says."""

import asyncio
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt


async def work(state: MessagesState) -> dict[str, Any]:
    """Ask, fail, take a while, or answer at once."""
    said = str(state["messages"][-1].content)
    if "ask" in said:
        interrupt("which city?")
    if "fail" in said:
        raise ValueError("out of paper")
    if "slowly" in said:
        await asyncio.sleep(2)
    if "for ever" in said:
        await asyncio.sleep(600)
    usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
    answer = AIMessage(f"blue, of {len(state['messages'])}", usage_metadata=usage)
    return {"messages": [answer.model_copy(update={"response_metadata": {"model_name": "none"}})]}


_graph = StateGraph(MessagesState).add_node("work", work).add_edge(START, "work")
graph = _graph.compile()
paused = _graph.compile(interrupt_before=["work"])
