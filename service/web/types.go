package web

import (
	"sort"
	"time"
)

// Archive is the service's state of one archive at one moment. A zero time means never, or unknown.
type Archive struct {
	Name        string
	Destination string // without credentials
	Address     string // the same for a command; empty if the destination has what may be a secret
	Layout      string // of the source; empty until it is known
	Schedule    string // as configured; empty if runs are made on demand only

	Running      bool
	RunningSince time.Time
	Waiting      bool // a run begins when the present one, or those of other archives, have ended

	LastSuccess   time.Time // when a run last succeeded, also without a new snapshot
	LastFailure   Failure
	FailuresInRow int64  // since the last success; above 0 the archive is failing
	FailureCause  string // equal for failures with the same reason, for notifications; empty if unknown
	NextRun       time.Time
	Overdue       bool // no run has succeeded by its deadline

	Last  Work      // of the last run that ended
	Total Work      // of all runs that this host remembers
	Runs  Outcomes  // of those
	Spent Histogram // durations of the runs since the service started

	RecoverableThrough Point
	Behind             *Behind // nil if unknown
	LastVerification   Verification
	LastDrill          Drill     // whether it succeeded or failed
	ProvenRestore      time.Time // when a drill last succeeded; zero if none has
	Damaged            []string  // files of the newest snapshot that are known to be damaged
	LeftOut            LeftOut   // files that the last run did not include although the layout matches them

	Newest        Contents // of the newest snapshot
	Kept          *Kept    // nil if unknown
	TailLeftOut   int64    // log files at the end of the source that the last run did not archive
	PrunedBytes   int64    // stored bytes that prunes deleted since the service started
	ReadBackBytes int64    // stored bytes that verifications read back since the service started
	NotifyFailed  int64    // attempts to deliver a notification that failed since the service started

	Encrypted bool // to recipients: a restore needs an identity
	Tasks     []Task

	Paused            Pause          // zero if it is not paused
	NeedsConfirmation []Confirmation // findings of guards that stop runs

	History []Run // newest last; the page draws the newest 48

	// Requests sent to the provider since the service started, by operation such as put, get or list, and the failed
	// ones among them by reason such as throttled or denied.
	ProviderRequests map[string]int64
	ProviderErrors   map[string]int64
}

// MaxLeftOut is the largest number of files in LeftOut.Some.
const MaxLeftOut = 10

// LeftOut is the files of the source that match the layout and are not archived, without those that the layout always
// leaves out.
type LeftOut struct {
	Files int64
	Some  []LeftOutFile // the first ones, at most MaxLeftOut
}

// LeftOutFile is one of them.
type LeftOutFile struct {
	Name string
	Why  string // empty if it is unknown, as after a restart
}

// Contents is the size of a snapshot.
type Contents struct {
	Files       int64
	Bytes       int64 // before compression and encryption
	StoredBytes int64
}

// Kept are the snapshots of an archive.
type Kept struct {
	Snapshots int64
	Oldest    time.Time // when the oldest one was made; zero if unknown
}

// Service is the state of the service itself.
type Service struct {
	ConfigRead   time.Time // when the configuration in force was read
	ReloadFailed bool      // the last reload was refused

	StateFailed int64 // writes of a state file that failed or hung since the service started

	Slots, SlotsInUse, SlotsWaiting int64 // of transfers, for all archives together
}

// ServiceBackend is a Backend that also has the state of the service.
type ServiceBackend interface {
	Service() Service
}

// Failure is a failed run's time and reason. Error is shown to users and must not contain credentials.
type Failure struct {
	At    time.Time
	Error string
}

// Work is the amount of data that runs copied, and their duration.
type Work struct {
	Files        int64 // copied
	Bytes        int64 // copied, before compression and encryption
	Milliseconds int64
}

// Outcomes counts runs by outcome.
type Outcomes struct {
	Made      int64 // runs that made a snapshot
	Unchanged int64 // runs that found nothing new
	Failed    int64
}

// Point is the point up to which a restore is known to be possible: the time at which the newest snapshot's capture
// was consistent, and the end of its log.
type Point struct {
	At   time.Time
	File string // the newest log file; empty if the files have no order
	Size int64  // of File, in bytes
}

// Behind is the amount of data in the source that the archive does not have yet.
type Behind struct {
	Files int64
	Bytes int64
}

// Task is a verify, drill or prune of an archive, which has its own schedule. Its times have the meaning of
// Archive's.
type Task struct {
	Name          string // verify, drill or prune
	Running       bool
	LastSuccess   time.Time
	LastFailure   Failure
	FailuresInRow int64
	FailureCause  string
	NextRun       time.Time
	Overdue       bool
	Interval      time.Duration // between two scheduled runs; 0 if unknown
	Last          time.Duration // the last run's duration
	Said          string        // the last run's result as text; empty if it failed
	Done, Failed  int64         // runs that this host remembers
	Spent         Histogram     // durations of the runs since the service started
}

// Verification is the coverage and result of the last verification.
type Verification struct {
	At           time.Time
	Objects      int64 // checked
	ObjectsTotal int64 // in the archive
	Bytes        int64 // stored bytes that were downloaded and hashed; 0 if unknown, as of a verify by hand
	PlainBytes   int64 // the same before compression and encryption, if Bytes is unknown
	BytesTotal   int64 // stored
	Problems     int64
	Unthawed     int64    // objects that could not be read back because they must be thawed first; 0 if unknown
	Found        []string // the first problems

	ReadBytes int64     // stored bytes that were ever read back and found good
	ReadTotal int64     // stored bytes that ReadBytes is a part of; 0 in a state from before it was recorded
	ReadSince time.Time // the oldest of these reads; zero if there is none
}

// readTotal returns the bytes that ReadBytes is a part of.
func (v Verification) readTotal() int64 {
	if v.ReadTotal > 0 {
		return v.ReadTotal
	}
	return max(v.BytesTotal, v.ReadBytes)
}

// Drill is the result of the last test restore.
type Drill struct {
	At       time.Time // when it began; zero if there was none
	Snapshot int64
	Duration time.Duration
	Error    string // why it failed; empty if it succeeded
}

// Outcome is the result of a run.
type Outcome string

// The outcomes of a run.
const (
	Made      Outcome = "made"
	Unchanged Outcome = "unchanged"
	Failed    Outcome = "failed"
)

// Run is a run that has ended.
type Run struct {
	Start      time.Time
	Duration   time.Duration
	Outcome    Outcome
	Snapshot   int64 // the number of the snapshot it made; 0 if none
	Files      int64 // copied
	AddedBytes int64 // before compression and encryption
	Error      string
}

// Snapshot is a snapshot without its list of files.
type Snapshot struct {
	Sequence    int64
	Created     time.Time
	Files       int64
	Bytes       int64 // before compression and encryption
	StoredBytes int64
	Added       int64 // files with content stored for this snapshot
	AddedBytes  int64 // before compression and encryption
	Removed     int64
	Changed     int64
	Damaged     int64
	LeftOut     int64 // files of the source that match the layout and are not in the snapshot
	ForkedFrom  int64 // the last snapshot of the history that this one does not continue; 0: it continues one
	RewoundFrom int64 // the snapshot with the end of a log that went back since; 0: none
	Duration    time.Duration
	State       string // ok, or the state that strongroom list shows
	Held        string // the reason of its hold; empty if it is not held
	Error       string // why it cannot be read; if set, the numbers have no meaning
}

// Range selects elements of a list. It may exceed the list.
type Range struct {
	Offset, Limit int64
}

// Of returns the bounds of the range in a list of n elements.
func (r Range) Of(n int) (begin, end int) {
	b := min(max(r.Offset, 0), int64(n))
	return int(b), int(b + min(max(r.Limit, 0), int64(n)-b))
}

// SnapshotFiles is a snapshot with a range of its files.
type SnapshotFiles struct {
	Snapshot
	Total int64  // the number of all files
	List  []File // those of the range, in order of name
}

// File is a file of a snapshot.
type File struct {
	Name     string
	Size     int64 // in bytes
	Modified time.Time
	SHA256   string // in hex
	Snapshot int64  // the first snapshot with this content
	State    string // closed, tail or damaged
}

// Diff is the difference between two snapshots.
type Diff struct {
	From, To int64
	Added    Names
	Removed  Names
	Changed  Names
}

// Names are the names of files, in order.
type Names struct {
	Count int64    // of all names
	First []string // the first of them
}

// Add adds a name. It keeps at most this number of names.
func (n *Names) Add(name string, most int) {
	if n.Count++; len(n.First) < most {
		n.First = append(n.First, name)
	}
}

// DurationBounds are the upper bounds of a Histogram's buckets, in seconds: from a run that finds nothing new to
// one that stores a whole database.
var DurationBounds = [...]float64{0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600}

// Histogram counts runs by duration. The zero value is empty. It is not safe for concurrent use.
type Histogram struct {
	Count   uint64
	Sum     time.Duration
	Buckets [len(DurationBounds)]uint64 // not cumulative; a run above the last bound counts only in Count
}

// Observe counts one run.
func (h *Histogram) Observe(d time.Duration) {
	h.Count++
	h.Sum += d
	if i := sort.SearchFloat64s(DurationBounds[:], d.Seconds()); i < len(h.Buckets) {
		h.Buckets[i]++
	}
}
