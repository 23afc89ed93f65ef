"""Define the seven jobs of the demo, and how each must end."""

from dataclasses import dataclass

from contracts.resources import NewJob, Policy
from signoff.status import JobStatus


@dataclass(frozen=True)
class DemoJob:
    """A job of the demo: what it shows, and the status at which it must end."""

    name: str
    shows: str
    job: NewJob
    ends: JobStatus = JobStatus.COMPLETED
    is_event: bool = False


def make_demo_jobs(run: str) -> list[DemoJob]:
    """Make the jobs of one run; its name is in their ids."""

    def new(name: str, title: str, criteria: str, **fields: object) -> NewJob:
        common = {"id": f"demo-{run}-{name}", "title": title, "acceptance_criteria": criteria, "agent_id": "writer"}
        return NewJob.model_validate(common | {"labels": {"demo": run}} | fields)

    return [
        DemoJob(
            "haiku",
            "met at once",
            new("haiku", "A haiku about autumn", 'It mentions "autumn"\nIt mentions the "moon"'),
        ),
        DemoJob(
            "notes",
            "met at once; an optional criterion decides nothing",
            new(
                "notes",
                "Release notes for version 2",
                'It says what is "new"\noptional: it mentions "unicorns"',
                payload={"text": "What is new: batches.", "omit": ["unicorns"]},
            ),
        ),
        DemoJob(
            "draft",
            "not met at first; resubmitted with feedback",
            new(
                "draft",
                "A thank-you letter",
                'It mentions the "harvest"',
                agent_id="drafter",
                policy=Policy(max_submissions=3),
            ),
        ),
        DemoJob(
            "cottage",
            "an asynchronous agent, which tells its progress",
            new("cottage", "A plan of a cottage", 'It has a "chimney"', agent_id="builder"),
        ),
        DemoJob(
            "unicorn",
            "a criterion that is never met",
            new(
                "unicorn",
                "A story of a lake",
                'It mentions a "unicorn"',
                payload={"omit": ["unicorn"]},
                policy=Policy(max_submissions=1),
            ),
            JobStatus.REJECTED,
        ),
        DemoJob(
            "broken",
            "the agent answers 400",
            new("broken", "A job for a broken agent", "It is an answer", payload={"agent": {"status": 400}}),
            JobStatus.FAILED,
        ),
        DemoJob(
            "upstream",
            "an event with the whole job, published to Kafka",
            new("upstream", "A greeting for a customer", 'It says "welcome"'),
            is_event=True,
        ),
    ]
