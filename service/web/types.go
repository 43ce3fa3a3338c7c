package web

import (
	"sort"
	"time"
)

// Archive is what the service knows of one archive at one moment. A zero time means
// never, or not known.
type Archive struct {
	Name        string
	Destination string // without credentials
	Layout      string // of the source; empty: not known yet
	Schedule    string // as it is configured; empty: runs are made on demand only

	Running      bool
	RunningSince time.Time
	Waiting      bool // a run was asked for and begins when the present one has ended

	LastSuccess   time.Time // when a run last ended well, also without a new snapshot
	LastFailure   Failure
	FailuresInRow int64 // since the last success; above 0 the archive is failing
	NextRun       time.Time
	Overdue       bool // a run should have ended well by now and did not

	Last  Work      // of the last run that ended
	Total Work      // of all runs that this host remembers
	Runs  Outcomes  // of those
	Spent Histogram // how long runs took, since the service started

	RecoverableThrough Point
	Behind             *Behind // nil: not known
	LastVerification   Verification
	LastDrill          Drill     // the last that was made
	ProvenRestore      time.Time // when a drill last went well; zero: never
	Damaged            []string  // files of the newest snapshot that are known not to be as they should be

	Encrypted bool // to recipients: a restore takes an identity
	Tasks     []Task

	NeedsConfirmation []Confirmation // what guards found that stops runs

	History []Run // newest last; the page draws the newest 48

	// By kind, such as put, get, list: requests sent to the provider since the service
	// started, and those of them that failed.
	ProviderRequests map[string]int64
	ProviderErrors   map[string]int64
}

// Failure is when a run failed and why. Error is shown to people and holds no
// credentials.
type Failure struct {
	At    time.Time
	Error string
}

// Work is what runs did.
type Work struct {
	Files        int64 // copied
	Bytes        int64 // copied, plain
	Milliseconds int64
}

// Outcomes counts runs by how they ended.
type Outcomes struct {
	Made      int64 // a snapshot
	Unchanged int64 // there was nothing new
	Failed    int64
}

// Point is up to where a restore is known to be possible: the moment at which the newest
// snapshot's capture was consistent, and the end of its log.
type Point struct {
	At   time.Time
	File string // the newest file of the log; empty where files have no order
	Size int64  // of it, in bytes
}

// Behind is what lies in the source and not yet in the archive.
type Behind struct {
	Files int64
	Bytes int64
}

// Task is what is done for an archive beside its snapshots, on a schedule of its own. The
// times are as those of an Archive.
type Task struct {
	Name          string // verify, drill or prune
	Running       bool
	LastSuccess   time.Time
	LastFailure   Failure
	FailuresInRow int64
	NextRun       time.Time
	Overdue       bool
	Last          time.Duration // how long the last one took
	Said          string        // what came of the last one, if it ended well
	Done, Failed  int64         // that ended so, of those that this host remembers
	Spent         Histogram     // as that of an Archive
}

// Verification is what the last one covered and found.
type Verification struct {
	At           time.Time
	Objects      int64 // looked at
	ObjectsTotal int64 // there were
	Bytes        int64 // downloaded and hashed
	BytesTotal   int64 // stored
	Problems     int64
	Found        []string // the first of them

	ReadBytes int64     // of those stored, what was ever read back and found good
	ReadSince time.Time // all of that was read back then or later; zero: nothing was
}

// Drill is how the last trial restore went.
type Drill struct {
	At       time.Time // when it began; zero: there was none
	Snapshot int64
	Duration time.Duration
	Error    string // why it failed; empty: it went well
}

// Outcome is how a run ended.
type Outcome string

// How a run can end.
const (
	Made      Outcome = "made"
	Unchanged Outcome = "unchanged"
	Failed    Outcome = "failed"
)

// Run is one that ended.
type Run struct {
	Start      time.Time
	Duration   time.Duration
	Outcome    Outcome
	Snapshot   int64 // its sequence; 0: it made none
	AddedBytes int64 // plain
	Error      string
}

// Snapshot is one of an archive, without its files.
type Snapshot struct {
	Sequence    int64
	Created     time.Time
	Files       int64
	Bytes       int64 // plain
	StoredBytes int64
	Added       int64 // files with content stored for this snapshot
	AddedBytes  int64 // plain
	Removed     int64
	Changed     int64
	Damaged     int64
	Duration    time.Duration
	State       string // ok, or what strongroom list says of it
	Held        string // why no retention removes it; empty: it is not held
	Error       string // why it cannot be read; the numbers mean nothing then
}

// SnapshotFiles is a snapshot with its files.
type SnapshotFiles struct {
	Snapshot
	List []File // by name
}

// File is one of a snapshot.
type File struct {
	Name     string
	Size     int64 // in bytes
	Modified time.Time
	SHA256   string // in hex
	Snapshot int64  // the one that first held this content
	State    string // closed, tail or damaged
}

// Diff is what became different from one snapshot to another: names of files, in order.
type Diff struct {
	From, To int64
	Added    []string
	Removed  []string
	Changed  []string
}

// DurationBounds are the upper bounds of the buckets in which a Histogram counts, in
// seconds: from a run that finds nothing new to one that stores a whole database.
var DurationBounds = [...]float64{0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600}

// Histogram counts how long runs took. The zero value is empty. It is a plain value and
// not safe for concurrent use.
type Histogram struct {
	Count   uint64
	Sum     time.Duration
	Buckets [len(DurationBounds)]uint64 // not cumulative; what is above the last bound is in Count alone
}

// Observe counts one run.
func (h *Histogram) Observe(d time.Duration) {
	h.Count++
	h.Sum += d
	if i := sort.SearchFloat64s(DurationBounds[:], d.Seconds()); i < len(h.Buckets) {
		h.Buckets[i]++
	}
}
