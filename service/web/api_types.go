package web

import "time"

// The API's responses. openapi.json describes each field; a test compares both. Times are RFC 3339 in UTC, or null
// for never; sizes are in bytes.
type (
	apiError struct {
		Error string `json:"error"`
	}
	apiAccepted struct {
		RunID string `json:"run_id"`
	}
	apiArchives struct {
		Version  string       `json:"version"`
		Now      *time.Time   `json:"now"`
		Archives []apiArchive `json:"archives"`
	}
	apiArchive struct {
		Name               string           `json:"name"`
		State              string           `json:"state"`
		Destination        string           `json:"destination"`
		Layout             string           `json:"layout"`
		Schedule           string           `json:"schedule"`
		Running            bool             `json:"running"`
		RunningSince       *time.Time       `json:"running_since"`
		Waiting            bool             `json:"waiting"`
		LastSuccess        *time.Time       `json:"last_success"`
		LastFailure        *apiFailure      `json:"last_failure"`
		FailuresInRow      int64            `json:"failures_in_row"`
		NextRun            *time.Time       `json:"next_run"`
		Overdue            bool             `json:"overdue"`
		Last               apiWork          `json:"last"`
		Total              apiWork          `json:"total"`
		Runs               apiOutcomes      `json:"runs"`
		RecoverableThrough *apiPoint        `json:"recoverable_through"`
		Behind             *apiBehind       `json:"behind"`
		LastVerification   *apiVerification `json:"last_verification"`
		LastDrill          *apiDrill        `json:"last_drill"`
		ProvenRestore      *time.Time       `json:"proven_restore"`
		Damaged            []string         `json:"damaged"`
		LeftOut            apiLeftOut       `json:"left_out"`
		Encrypted          bool             `json:"encrypted"`
		Tasks              []apiTask        `json:"tasks"`
		ProviderRequests   map[string]int64 `json:"provider_requests"`
		ProviderErrors     map[string]int64 `json:"provider_errors"`

		Paused            *apiPause         `json:"paused"`
		NeedsConfirmation []apiConfirmation `json:"needs_confirmation"`
	}
	apiArchiveHistory struct {
		apiArchive
		History []apiRun `json:"history"`
	}
	apiTask struct {
		Name          string      `json:"name"`
		Running       bool        `json:"running"`
		LastSuccess   *time.Time  `json:"last_success"`
		LastFailure   *apiFailure `json:"last_failure"`
		FailuresInRow int64       `json:"failures_in_row"`
		NextRun       *time.Time  `json:"next_run"`
		Overdue       bool        `json:"overdue"`
		DurationMS    int64       `json:"duration_ms"`
		Said          string      `json:"said"`
		Done          int64       `json:"done"`
		Failed        int64       `json:"failed"`
	}
	apiPause struct {
		Since  *time.Time `json:"since"`
		By     string     `json:"by"`
		Reason string     `json:"reason"`
	}
	apiConfirmation struct {
		Confirmation string     `json:"confirmation"`
		Guard        string     `json:"guard"`
		Task         string     `json:"task"`
		Detail       string     `json:"detail"`
		Since        *time.Time `json:"since"`
		ConfirmedAt  *time.Time `json:"confirmed_at"`
	}
	apiLeftOut struct {
		Files int64            `json:"files"`
		Some  []apiLeftOutFile `json:"some"`
	}
	apiLeftOutFile struct {
		Name string `json:"name"`
		Why  string `json:"why"`
	}
	apiFailure struct {
		At    *time.Time `json:"at"`
		Error string     `json:"error"`
	}
	apiWork struct {
		Files      int64 `json:"files"`
		Bytes      int64 `json:"bytes"`
		DurationMS int64 `json:"duration_ms"`
	}
	apiOutcomes struct {
		Made      int64 `json:"made"`
		Unchanged int64 `json:"unchanged"`
		Failed    int64 `json:"failed"`
	}
	apiPoint struct {
		At   *time.Time `json:"at"`
		File string     `json:"file"`
		Size int64      `json:"size"`
	}
	apiBehind struct {
		Files int64 `json:"files"`
		Bytes int64 `json:"bytes"`
	}
	apiVerification struct {
		At           *time.Time `json:"at"`
		Objects      int64      `json:"objects"`
		ObjectsTotal int64      `json:"objects_total"`
		Bytes        int64      `json:"bytes"`
		PlainBytes   int64      `json:"plain_bytes"`
		BytesTotal   int64      `json:"bytes_total"`
		Problems     int64      `json:"problems"`
		Unthawed     int64      `json:"unthawed"`
		Found        []string   `json:"found"`
		ReadBytes    int64      `json:"read_bytes"`
		ReadTotal    int64      `json:"read_total"`
		ReadSince    *time.Time `json:"read_since"`
	}
	apiDrill struct {
		At         *time.Time `json:"at"`
		Snapshot   int64      `json:"snapshot"`
		DurationMS int64      `json:"duration_ms"`
		Error      string     `json:"error"`
	}
	apiRun struct {
		Start      *time.Time `json:"start"`
		DurationMS int64      `json:"duration_ms"`
		Outcome    string     `json:"outcome"`
		Snapshot   int64      `json:"snapshot"`
		AddedBytes int64      `json:"added_bytes"`
		Error      string     `json:"error"`
	}
	apiSnapshots struct {
		Snapshots  []apiSnapshot `json:"snapshots"`
		NextBefore *int64        `json:"next_before"`
	}
	apiSnapshot struct {
		Sequence    int64      `json:"sequence"`
		Created     *time.Time `json:"created"`
		Files       int64      `json:"files"`
		Bytes       int64      `json:"bytes"`
		StoredBytes int64      `json:"stored_bytes"`
		Added       int64      `json:"added"`
		AddedBytes  int64      `json:"added_bytes"`
		Removed     int64      `json:"removed"`
		Changed     int64      `json:"changed"`
		Damaged     int64      `json:"damaged"`
		LeftOut     int64      `json:"left_out"`
		DurationMS  int64      `json:"duration_ms"`
		State       string     `json:"state"`
		Held        string     `json:"held"`
		Error       string     `json:"error"`
	}
	apiSnapshotFiles struct {
		apiSnapshot
		List       []apiFile `json:"list"`
		NextOffset *int64    `json:"next_offset"`
	}
	apiFile struct {
		Name     string     `json:"name"`
		Size     int64      `json:"size"`
		Modified *time.Time `json:"modified"`
		SHA256   string     `json:"sha256"`
		Snapshot int64      `json:"snapshot"`
		State    string     `json:"state"`
	}
)

// jsonTime returns nil for the zero time, which means never.
func jsonTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// newAPIPause returns nil if runs begin.
func newAPIPause(p Pause) *apiPause {
	if p.Since.IsZero() {
		return nil
	}
	return &apiPause{Since: jsonTime(p.Since), By: p.By, Reason: p.Reason}
}

func newAPIArchive(a *Archive) apiArchive {
	v := apiArchive{
		Name: a.Name, State: string(a.State()), Destination: a.Destination, Layout: a.Layout, Schedule: a.Schedule,
		Running: a.Running, RunningSince: jsonTime(a.RunningSince), Waiting: a.Waiting, Paused: newAPIPause(a.Paused),
		LastSuccess: jsonTime(a.LastSuccess), FailuresInRow: a.FailuresInRow,
		NextRun: jsonTime(a.NextRun), Overdue: a.Overdue,
		Last: newAPIWork(a.Last), Total: newAPIWork(a.Total),
		Runs: apiOutcomes(a.Runs), Behind: (*apiBehind)(a.Behind),
		Encrypted: a.Encrypted, Tasks: []apiTask{},
		Damaged:          append([]string{}, a.Damaged...),
		ProviderRequests: kinds(a.ProviderRequests), ProviderErrors: kinds(a.ProviderErrors),
	}
	v.LastFailure = newAPIFailure(a.LastFailure)
	v.LeftOut = apiLeftOut{Files: a.LeftOut.Files, Some: []apiLeftOutFile{}}
	for _, f := range a.LeftOut.Some {
		v.LeftOut.Some = append(v.LeftOut.Some, apiLeftOutFile(f))
	}
	for i := range a.Tasks {
		v.Tasks = append(v.Tasks, newAPITask(&a.Tasks[i]))
	}
	v.NeedsConfirmation = []apiConfirmation{}
	for _, c := range a.NeedsConfirmation {
		v.NeedsConfirmation = append(v.NeedsConfirmation, apiConfirmation{
			Confirmation: c.Confirmation, Guard: c.Guard, Task: c.Task, Detail: c.Detail,
			Since: jsonTime(c.Since), ConfirmedAt: jsonTime(c.Confirmed),
		})
	}
	if p := a.RecoverableThrough; !p.At.IsZero() {
		v.RecoverableThrough = &apiPoint{At: jsonTime(p.At), File: p.File, Size: p.Size}
	}
	if l := a.LastVerification; !l.At.IsZero() {
		v.LastVerification = &apiVerification{
			At: jsonTime(l.At), Objects: l.Objects, ObjectsTotal: l.ObjectsTotal,
			Bytes: l.Bytes, PlainBytes: l.PlainBytes, BytesTotal: l.BytesTotal, Problems: l.Problems, Unthawed: l.Unthawed,
			Found: append([]string{}, l.Found...), ReadBytes: l.ReadBytes, ReadTotal: l.readTotal(), ReadSince: jsonTime(l.ReadSince),
		}
	}
	if d := a.LastDrill; !d.At.IsZero() {
		v.LastDrill = &apiDrill{At: jsonTime(d.At), Snapshot: d.Snapshot, DurationMS: d.Duration.Milliseconds(), Error: d.Error}
	}
	v.ProvenRestore = jsonTime(a.ProvenRestore)
	return v
}

// newAPIFailure returns nil if there was no failure.
func newAPIFailure(f Failure) *apiFailure {
	if f.At.IsZero() {
		return nil
	}
	return &apiFailure{At: jsonTime(f.At), Error: f.Error}
}

func newAPITask(t *Task) apiTask {
	return apiTask{
		Name: t.Name, Running: t.Running, LastSuccess: jsonTime(t.LastSuccess), LastFailure: newAPIFailure(t.LastFailure),
		FailuresInRow: t.FailuresInRow, NextRun: jsonTime(t.NextRun), Overdue: t.Overdue,
		DurationMS: t.Last.Milliseconds(), Said: t.Said, Done: t.Done, Failed: t.Failed,
	}
}

func newAPIWork(w Work) apiWork {
	return apiWork{Files: w.Files, Bytes: w.Bytes, DurationMS: w.Milliseconds}
}

// kinds returns an empty map for nil, so that the JSON is always an object.
func kinds(m map[string]int64) map[string]int64 {
	if m == nil {
		return map[string]int64{}
	}
	return m
}

func newAPIRun(r Run) apiRun {
	return apiRun{
		Start: jsonTime(r.Start), DurationMS: r.Duration.Milliseconds(), Outcome: string(r.Outcome),
		Snapshot: r.Snapshot, AddedBytes: r.AddedBytes, Error: r.Error,
	}
}

func newAPISnapshot(s Snapshot) apiSnapshot {
	return apiSnapshot{
		Sequence: s.Sequence, Created: jsonTime(s.Created), Files: s.Files, Bytes: s.Bytes,
		StoredBytes: s.StoredBytes, Added: s.Added, AddedBytes: s.AddedBytes, Removed: s.Removed,
		Changed: s.Changed, Damaged: s.Damaged, LeftOut: s.LeftOut, DurationMS: s.Duration.Milliseconds(),
		State: s.State, Held: s.Held, Error: s.Error,
	}
}

func newAPIFile(f File) apiFile {
	return apiFile{
		Name: f.Name, Size: f.Size, Modified: jsonTime(f.Modified), SHA256: f.SHA256,
		Snapshot: f.Snapshot, State: f.State,
	}
}
