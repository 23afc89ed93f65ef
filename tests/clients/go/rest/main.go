// Command rest runs the stories over REST, with the client that oapi-codegen makes.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"example.org/stories/signoff"
	. "example.org/stories/stories"
)

var (
	ctx = context.Background()
	api = Must(signoff.NewClientWithResponses(Setting("SIGNOFF_HTTP"), signoff.WithRequestEditorFn(authorize)))
)

func authorize(_ context.Context, request *http.Request) error {
	request.Header.Set("Authorization", "Bearer "+Setting("SIGNOFF_TOKEN"))
	return nil
}

type object = map[string]any

func newJob(payload object) signoff.NewJob {
	id, agent, criteria := NewID(), "writer", `Says "blue"`
	return signoff.NewJob{Id: &id, Title: "A story", AcceptanceCriteria: &criteria, AgentId: &agent, Payload: payload}
}

func create(job signoff.NewJob) string {
	answer := Must(api.CreateJobWithResponse(ctx, nil, job))
	Check(answer.JSON201 != nil, string(answer.Body))
	return answer.JSON201.Id
}

func make_() string { return create(newJob(object{"text": "blue"})) }

func read(id string) *signoff.Job {
	answer := Must(api.GetJobWithResponse(ctx, id, nil))
	Check(answer.JSON200 != nil, string(answer.Body))
	return answer.JSON200
}

func execute(id string) {
	answer := Must(api.ExecuteJobWithResponse(ctx, id, nil, signoff.NewExecution{}))
	Check(answer.JSON201 != nil, string(answer.Body))
}

func wait(id, status string) *signoff.Job {
	return Until(func() *signoff.Job { return read(id) }, func(job *signoff.Job) bool { return job.Status == status })
}

func explain(id string) []string {
	codes := []string{}
	for _, reason := range Must(api.ExplainJobWithResponse(ctx, id)).JSON200.Reasons {
		codes = append(codes, reason.Code)
	}
	return codes
}

func jobRuns() {
	id := make_()
	execute(id)
	job := wait(id, "COMPLETED")
	Check(strings.Contains(string(Must(json.Marshal(job.Result))), "blue"), job.Result)
	Check(job.Verdict.IsValid, job.Verdict)
	Equal(job.Verdict.Criteria[0].Outcome, "pass")
}

func keyRepeats() {
	id, key := make_(), NewID()
	params := &signoff.ExecuteJobParams{IdempotencyKey: &key}
	first := Must(api.ExecuteJobWithResponse(ctx, id, params, signoff.NewExecution{}))
	again := Must(api.ExecuteJobWithResponse(ctx, id, params, signoff.NewExecution{}))
	Equal([]int{first.StatusCode(), again.StatusCode()}, []int{201, 200})
	Equal(again.HTTPResponse.Header.Get("Idempotency-Replayed"), "true")
	Equal(first.JSON201.Id, again.JSON200.Id)
}

func unknownMember() {
	body := strings.NewReader(`{"title": "A story", "acceptance_criteria": "It says blue", "agent": "writer"}`)
	problem := Must(api.CreateJobWithBodyWithResponse(ctx, nil, "application/json", body)).ApplicationproblemJSON422
	Equal(problem.Code, "invalid_request")
	Equal(*(*problem.Errors)[0].Pointer, "#/agent")
}

func staleEdit() {
	id, first := make_(), `"1"`
	edit := func(title string) *signoff.EditJobResponse {
		params, patch := &signoff.EditJobParams{IfMatch: &first}, signoff.JobPatch{Title: &title}
		return Must(api.EditJobWithResponse(ctx, id, params, patch))
	}
	Equal(edit("New").StatusCode(), 200)
	Equal(edit("Newer").ApplicationproblemJSON412.Code, "version_conflict")
	Equal(read(id).Title, "New")
}

func pages() {
	made, found, sizes := map[string]bool{}, map[string]bool{}, []int{}
	team := NewID()
	for range 5 {
		job := newJob(nil)
		job.Labels = &map[string]string{"team": team}
		made[create(job)] = true
	}
	size, label, token := 2, []string{"team:" + team}, new(string)
	for token != nil {
		params := &signoff.ListJobsParams{Label: &label, PageSize: &size, PageToken: token}
		page := Must(api.ListJobsWithResponse(ctx, params)).JSON200
		for _, job := range page.Items {
			found[job.Id] = true
		}
		sizes, token = append(sizes, len(page.Items)), page.NextPageToken
	}
	Equal(found, made)
	Equal(sizes, []int{2, 2, 1})
}

// watch reads the changes of a job from a place on, until it was enough, and returns the last place.
func watch(id string, after *string, begun func(), enough func(signoff.JobChange) bool) string {
	answer := Must(api.WatchJob(ctx, id, &signoff.WatchJobParams{LastEventID: after}))
	defer answer.Body.Close()
	place, event := "", ""
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case field == "id":
			place = value
		case field == "event":
			event = value
		case field == "data" && event == "hello":
			begun()
		case field == "data" && event == "job-changed":
			var change signoff.JobChange
			Check(json.Unmarshal([]byte(value), &change) == nil, value)
			if enough(change) {
				return place
			}
		}
	}
	panic("the stream ended")
}

func watchResumes() {
	id, versions := make_(), []int{}
	place := watch(id, nil, func() { execute(id) }, func(change signoff.JobChange) bool {
		versions = append(versions, change.Version)
		return true
	})
	watch(id, &place, func() {}, func(change signoff.JobChange) bool {
		versions = append(versions, change.Version)
		return change.Job.Status == "COMPLETED"
	})
	for n, version := range versions {
		Equal(version, versions[0]+n)
	}
}

func batchOfTwenty() {
	jobs := []signoff.NewJob{}
	for range 20 {
		jobs = append(jobs, newJob(object{"text": "blue"}))
	}
	id := Must(api.CreateBatchWithResponse(ctx, nil, signoff.NewBatch{Jobs: &jobs})).JSON201.Id.String()
	Until(
		func() string { return Must(api.GetBatchWithResponse(ctx, id)).JSON200.State },
		func(state string) bool { return state == "DONE" },
	)
	size, token, sizes := 8, new(string), []int{}
	for token != nil {
		params := &signoff.ListBatchItemsParams{PageSize: &size, PageToken: token}
		page := Must(api.ListBatchItemsWithResponse(ctx, id, params)).JSON200
		for _, item := range page.Items {
			Equal(item.Outcome, "COMPLETED")
		}
		sizes, token = append(sizes, len(page.Items)), page.NextPageToken
	}
	Equal(sizes, []int{8, 8, 4})
}

func cancel() {
	id := create(newJob(object{"agent": object{"delay_s": 60}}))
	execute(id)
	wait(id, "IN_PROGRESS")
	Equal(Must(api.CancelJobWithResponse(ctx, id, nil, signoff.JobCancellation{})).StatusCode(), 200)
	job := Until(func() *signoff.Job { return read(id) }, func(job *signoff.Job) bool { return !*job.Live })
	Check(job.Cancelled, job)
}

func failureSaysWhy() {
	id := create(newJob(object{"agent": object{"status": 422}}))
	execute(id)
	Equal(*wait(id, "FAILED").Code, "agent_status")
	Equal(explain(id), []string{})
}

func agentIsPaused() {
	agent := NewID()
	new_ := signoff.NewAgent{Id: &agent, Name: "Story", Url: Setting("STORIES_AGENT_URL")}
	Equal(Must(api.CreateAgentWithResponse(ctx, nil, new_)).StatusCode(), 201)
	Check(Must(api.PauseAgentWithResponse(ctx, agent, nil)).JSON200.Paused, "paused")
	job := newJob(object{"text": "blue"})
	job.AgentId = &agent
	id := create(job)
	execute(id)
	codes := Until(func() []string { return explain(id) }, func(codes []string) bool { return len(codes) > 0 })
	Equal(codes, []string{"limit_paused"})
	Check(!Must(api.ResumeAgentWithResponse(ctx, agent, nil)).JSON200.Paused, "paused still")
	wait(id, "COMPLETED")
}

func main() {
	Run(
		Story("job_runs", jobRuns),
		Story("key_repeats", keyRepeats),
		Story("unknown_member", unknownMember),
		Story("stale_edit", staleEdit),
		Story("pages", pages),
		Story("watch_resumes", watchResumes),
		Story("batch_of_twenty", batchOfTwenty),
		Story("cancel", cancel),
		Story("failure_says_why", failureSaysWhy),
		Story("agent_is_paused", agentIsPaused),
	)
}
