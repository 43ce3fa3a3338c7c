package scheduler

import "fmt"

// TriggerResult is the result of a request for a run.
type TriggerResult string

// A requested run begins at once, or after the present run or runs of other jobs have ended.
const (
	Started TriggerResult = "started"
	Waiting TriggerResult = "waiting"
)

// Trigger requests a run of an archive's job without a task, and does not wait for it. The run begins at once or
// after the present run. It returns ErrNoJob, ErrStopped, or ErrBusy if a run is already waiting.
func (s *Service) Trigger(name string) (TriggerResult, error) { return s.trigger(name, "", false) }

// TriggerTask is Trigger for an archive's job with this task, such as prune.
func (s *Service) TriggerTask(name, task string) (TriggerResult, error) {
	return s.trigger(name, task, false)
}

// TriggerIdle is TriggerTask, but it returns ErrBusy also during a run.
func (s *Service) TriggerIdle(name, task string) error {
	_, err := s.trigger(name, task, true)
	return err
}

func (s *Service) trigger(name, task string, idle bool) (TriggerResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.alive() {
		return "", ErrStopped
	}
	for _, r := range s.runners {
		if r.job.Name == name && r.job.Task == task {
			return r.ask(idle)
		}
	}
	job := Job{Name: name, Task: task}
	return "", fmt.Errorf("%s: %w", job.key(), ErrNoJob)
}
