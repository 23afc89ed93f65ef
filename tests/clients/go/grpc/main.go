// Command grpc runs the stories over gRPC, with the code that protoc-gen-go and protoc-gen-go-grpc make.
package main

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	. "example.org/stories/stories"
	pb "signoff.dev/api/signoff/v1"
)

var (
	ctx        = metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+Setting("SIGNOFF_TOKEN"))
	channel    = Must(grpc.NewClient(Setting("SIGNOFF_JOBSTORE"), grpc.WithTransportCredentials(insecure.NewCredentials())))
	jobs       = pb.NewJobServiceClient(channel)
	agents     = pb.NewAgentServiceClient(channel)
	operations = pb.NewOperationsServiceClient(channel)
)

const blue = `{"text": "blue"}`

func newJob(payload string) *pb.NewJob {
	return &pb.NewJob{
		Id: proto.String(NewID()), Title: "A story", AcceptanceCriteria: `Says "blue"`, AgentId: proto.String("writer"),
		PayloadJson: proto.String(payload),
	}
}

func create(job *pb.NewJob) string {
	return Must(jobs.CreateJob(ctx, &pb.CreateJobRequest{Job: job})).GetJob().GetId()
}

func read(id string) *pb.Job {
	return Must(jobs.GetJob(ctx, &pb.GetJobRequest{JobId: id})).GetJob()
}

func execute(id string) {
	Must(jobs.ExecuteJob(ctx, &pb.ExecuteJobRequest{JobId: id}))
}

func wait(id string, status pb.JobStatus) *pb.Job {
	return Until(func() *pb.Job { return read(id) }, func(job *pb.Job) bool { return job.GetStatus() == status })
}

func explain(id string) []string {
	found := []string{}
	for _, reason := range Must(jobs.ExplainJob(ctx, &pb.ExplainJobRequest{JobId: id})).GetWaiting().GetReasons() {
		found = append(found, reason.GetCode())
	}
	return found
}

// refusal returns the status, the reason of the ErrorInfo and the fields of the BadRequest of an error.
func refusal(err error) (codes.Code, string, []string) {
	reason, fields := "", []string{}
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			reason = detail.GetReason()
		case *errdetails.BadRequest:
			for _, field := range detail.GetFieldViolations() {
				fields = append(fields, field.GetField())
			}
		}
	}
	return status.Code(err), reason, fields
}

func jobRuns() {
	id := create(newJob(blue))
	execute(id)
	job := wait(id, pb.JobStatus_JOB_STATUS_COMPLETED)
	Check(strings.Contains(job.GetResultJson(), "blue"), job)
	Check(job.GetVerdict().GetIsValid(), job)
	Equal(job.GetVerdict().GetCriteria()[0].GetOutcome(), pb.CriterionOutcome_CRITERION_OUTCOME_PASS)
}

func keyRepeats() {
	request := &pb.ExecuteJobRequest{JobId: create(newJob(blue)), IdempotencyKey: proto.String(NewID())}
	first, trailer := Must(jobs.ExecuteJob(ctx, request)), metadata.MD{}
	again := Must(jobs.ExecuteJob(ctx, request, grpc.Trailer(&trailer)))
	Equal(again.GetExecution().GetId(), first.GetExecution().GetId())
	Equal(trailer.Get("idempotency-replayed"), []string{"true"})
}

func unknownMember() {
	job := newJob(blue)
	job.Priority = proto.Int32(12)
	_, err := jobs.CreateJob(ctx, &pb.CreateJobRequest{Job: job})
	code, reason, fields := refusal(err)
	Equal(fmt.Sprintf("%v %v %v", code, reason, fields), "InvalidArgument INVALID_REQUEST [job.priority]")
}

func staleEdit() {
	id := create(newJob(blue))
	edit := func(title string) error {
		mask := &fieldmaskpb.FieldMask{Paths: []string{"title"}}
		job := &pb.NewJob{Title: title}
		_, err := jobs.UpdateJob(ctx, &pb.UpdateJobRequest{JobId: id, Job: job, UpdateMask: mask, Version: proto.Int64(1)})
		return err
	}
	Check(edit("New") == nil, "an edit")
	_, reason, _ := refusal(edit("Newer"))
	Equal(reason, "VERSION_CONFLICT")
	Equal(read(id).GetTitle(), "New")
}

func pages() {
	made, found, sizes := map[string]bool{}, map[string]bool{}, []int{}
	labels := map[string]string{"team": NewID()}
	for range 5 {
		job := newJob(blue)
		job.Labels = labels
		made[create(job)] = true
	}
	for request := (&pb.ListJobsRequest{Filter: &pb.JobFilter{Labels: labels}, PageSize: 2}); ; {
		page := Must(jobs.ListJobs(ctx, request))
		for _, job := range page.GetJobs() {
			found[job.GetId()] = true
		}
		sizes, request.PageToken = append(sizes, len(page.GetJobs())), page.GetNextPageToken()
		if request.PageToken == "" {
			break
		}
	}
	Equal(found, made)
	Equal(sizes, []int{2, 2, 1})
}

// watch reads the entries of a job's log from a place on, until it was enough, and returns the last place.
func watch(id string, after *int64, begun func(), enough func(*pb.JobLog) bool) int64 {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	stream := Must(jobs.WatchJobs(watching, &pb.WatchJobsRequest{JobIds: []string{id}, After: after}))
	for {
		event := Must(stream.Recv())
		if event.GetJob() != nil {
			begun()
		}
		if event.GetLog() != nil && enough(event.GetLog()) {
			return event.GetCursor()
		}
	}
}

func watchResumes() {
	id, versions := create(newJob(blue)), []int64{}
	place := watch(id, nil, func() { execute(id) }, func(log *pb.JobLog) bool {
		versions = append(versions, log.GetVersion())
		return true
	})
	watch(id, &place, func() {}, func(log *pb.JobLog) bool {
		versions = append(versions, log.GetVersion())
		return log.GetJobStatus() == pb.JobStatus_JOB_STATUS_COMPLETED
	})
	for n, version := range versions {
		Equal(version, versions[0]+int64(n))
	}
}

func batchOfTwenty() {
	request := &pb.ExecuteJobsRequest{}
	for range 20 {
		request.Jobs = append(request.Jobs, newJob(blue))
	}
	id := Must(jobs.ExecuteJobs(ctx, request)).GetOperation().GetId()
	Until(func() pb.OperationState {
		return Must(operations.GetOperation(ctx, &pb.GetOperationRequest{OperationId: id})).GetOperation().GetState()
	}, func(state pb.OperationState) bool { return state == pb.OperationState_OPERATION_STATE_DONE })
	sizes := []int{}
	for request := (&pb.ListOperationItemsRequest{OperationId: id, PageSize: 8}); ; {
		page := Must(operations.ListOperationItems(ctx, request))
		for _, item := range page.GetItems() {
			Equal(item.GetOutcome(), pb.ItemOutcome_ITEM_OUTCOME_COMPLETED)
		}
		sizes, request.PageToken = append(sizes, len(page.GetItems())), page.GetNextPageToken()
		if request.PageToken == "" {
			break
		}
	}
	Equal(sizes, []int{8, 8, 4})
}

func cancel() {
	id := create(newJob(`{"agent": {"delay_s": 60}}`))
	execute(id)
	wait(id, pb.JobStatus_JOB_STATUS_IN_PROGRESS)
	Must(jobs.CancelJob(ctx, &pb.CancelJobRequest{JobId: id}))
	job := Until(func() *pb.Job { return read(id) }, func(job *pb.Job) bool { return !job.GetLive() })
	Check(job.GetCancelled(), job)
}

func failureSaysWhy() {
	id := create(newJob(`{"agent": {"status": 422}}`))
	execute(id)
	Equal(wait(id, pb.JobStatus_JOB_STATUS_FAILED).GetCode(), "agent_status")
	Equal(explain(id), []string{})
}

func agentIsPaused() {
	agent := &pb.NewAgent{Id: proto.String(NewID()), Name: "Story", Url: Setting("STORIES_AGENT_URL")}
	Must(agents.CreateAgent(ctx, &pb.CreateAgentRequest{Agent: agent}))
	pause := &pb.PauseRequest{Name: "agent:" + agent.GetId(), Paused: true}
	Check(Must(operations.Pause(ctx, pause)).GetLimit().GetPaused(), "paused")
	job := newJob(blue)
	job.AgentId = agent.Id
	id := create(job)
	execute(id)
	found := Until(func() []string { return explain(id) }, func(found []string) bool { return len(found) > 0 })
	Equal(found, []string{"limit_paused"})
	pause.Paused = false
	Check(!Must(operations.Pause(ctx, pause)).GetLimit().GetPaused(), "paused still")
	wait(id, pb.JobStatus_JOB_STATUS_COMPLETED)
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
