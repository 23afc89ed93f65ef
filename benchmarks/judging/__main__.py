"""Say what judges' votes are worth together, what a loop accepts, and what checks and a cascade save: exact, not drawn.

    .venv/bin/python benchmarks/judging [VOTES.csv] [--judge GPT-4/Vanilla] [--other PaLM2/Vanilla] [--write]
    .venv/bin/python benchmarks/judging --only honest|attacks|sections|tokens [--write]

Prints tables. Without a file they are of the votes beside this program, and --write puts them into docs/judging.md.
With --only they are of one thing alone: of right results, of wrong ones, of long ones, or of what asking costs.
"""

import argparse
import sys
from pathlib import Path

# Run as a folder, this program finds what stands in it, but not itself as a package.
sys.path.insert(0, str(Path(__file__).parents[1]))

from judging.quoting import describe_attacks, describe_honest
from judging.sections import describe_sections
from judging.tables import Chosen, describe_loop, describe_standins, describe_votes, write_page
from judging.tokens import describe_tokens
from judging.votes import VotesError, read_votes

VOTES = Path(__file__).parent / "llmbar_votes.csv"
#: What is measured alone, by its name.
ONLY = {
    "honest": describe_honest,
    "attacks": describe_attacks,
    "sections": describe_sections,
    "tokens": describe_tokens,
}


def read_arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("votes", nargs="?", type=Path, default=VOTES, help="other labelled cases, in the same columns")
    parser.add_argument("--judge", default=Chosen.judge, help="who judges each submission")
    parser.add_argument("--other", default=Chosen.other, help="the judge of another family")
    parser.add_argument("--families", default=",".join(Chosen.families), help="those whose votes are counted together")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/judging.md")
    parser.add_argument("--only", choices=ONLY, help="measure this alone")
    return parser.parse_args()


def main() -> None:
    """Print the tables."""
    arguments = read_arguments()
    if arguments.only is not None:
        lines = ONLY[arguments.only]()
        print("\n".join(lines))
        if arguments.write:
            write_page(lines, name=arguments.only)
        return
    chosen = Chosen(arguments.judge, arguments.other, tuple(arguments.families.split(",")))
    try:
        votes = read_votes(arguments.votes)
        lines = [*describe_votes(votes, chosen), *describe_loop(votes, chosen), *describe_standins()]
    except (OSError, VotesError) as error:
        sys.exit(f"{arguments.votes}: {error}")
    print("\n".join(lines))
    if arguments.write:
        if arguments.votes != VOTES:
            sys.exit("--write is for the votes beside this program: docs/judging.md says what they are")
        write_page(lines)


if __name__ == "__main__":
    main()
